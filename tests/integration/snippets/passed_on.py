# passed_on.py PORT: what stands behind a proxy. /slow/...: after a while; /esi/NAME: a page that includes /frag/NAME; /drop/...: the
# first time the connection is closed without an answer.
import http.server, sys, threading, time

dropped = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/drop/") and path not in dropped:
            dropped.add(path)
            self.close_connection = True
            return
        if path.startswith("/slow/"):
            time.sleep(0.4)
        body = b"ok\n"
        if path.startswith("/esi/"):
            body = b'<esi:include src="/frag/' + path[5:].encode() + b'"/>'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
server.serve_forever()
