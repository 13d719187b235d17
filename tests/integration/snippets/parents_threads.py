# parents_threads.py PORT BACKEND: a thread for each connection, a blocking call in each request.
import http.client, http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
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
