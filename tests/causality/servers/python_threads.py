# python_threads - a thread for each connection, blocking calls.
# rig: calls=3
import http.client
import http.server
import os
import ssl
import sys

anyone = ssl.create_default_context()
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE


def connect():
    if os.environ.get("RIG_TLS"):
        return http.client.HTTPSConnection("127.0.0.1", int(sys.argv[2]), context=anyone)
    return http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, _, number, calls = self.path.split("/")
        for i in range(int(calls)):
            connection = connect()
            connection.request("GET", f"/d/{number}/{i + 1}")
            connection.getresponse().read()
            connection.close()
        body = f"done {number}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 4096


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
