# correlate_pool.py PORT BACK: requests are parsed by their connections' threads, and their calls made by a pool, which is handed
# them through a queue. Each call passes on X-Request-Id. /one/...: at once; /both/...: when two requests wait; /late/...: when the
# answer has gone.
import http.client, http.server, queue, sys, threading, time

tasks = queue.Queue()
both = threading.Barrier(2)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.done = threading.Event()
        if self.path.startswith("/both/"):
            both.wait()
        if not self.path.startswith("/late/"):
            tasks.put(self)
            self.done.wait()
            if self.path.startswith("/both/"):
                both.wait()
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
        if self.path.startswith("/late/"):
            tasks.put(self)

    def log_message(self, *args):
        pass


def work():
    while True:
        task = tasks.get()
        backend = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
        backend.request("GET", task.path, headers={"X-REQUEST-ID": task.headers["x-request-id"]})
        backend.getresponse().read()
        backend.close()
        task.done.set()


for i in range(4):
    threading.Thread(target=work, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
server.serve_forever()
