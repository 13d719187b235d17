# parents_threads.py PORT BACKEND [busy]: a thread for each connection, a blocking call in each request; busy: after enough work
# of its own to be asked for the interpreter's lock.
import http.client, http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        until = time.thread_time() + 0.02
        while sys.argv[3:] == ["busy"] and time.thread_time() < until:
            pass
        backend = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
        backend.request("GET", self.path)
        body = backend.getresponse().read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
server.serve_forever()
