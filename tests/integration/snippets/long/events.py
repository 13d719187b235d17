# events.py PORT: /stream/N sends an event every 50 ms, N of them, in chunks; /silent one, and no more until the client goes;
# anything else is answered at once.
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        if not self.path.startswith(("/stream/", "/silent")):
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")
            return
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        silent = self.path == "/silent"
        for n in range(1 if silent else int(self.path.split("/")[2])):
            event = b"data: %d\n\n" % n
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
            time.sleep(0.05)
        if silent:
            self.rfile.read(1)
        self.wfile.write(b"0\r\n\r\n")


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
