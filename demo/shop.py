"""shop PORT ORDERS_URL CERTIFICATE REDIS_PORT: the shop's pages over https, and in Redis how often each was asked for."""
import ssl
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

ORDERS = sys.argv[2]
VISITS = redis.Redis(port=int(sys.argv[4]))


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one write

    def do_GET(self):
        item = self.path.rsplit("/", 1)[-1]
        VISITS.incr(f"visits:{item}")
        try:
            with urllib.request.urlopen(f"{ORDERS}/order/{item}", timeout=5) as answer:
                status, body = 200, answer.read()
        except urllib.error.HTTPError as error:
            status, body = 502, error.read()
        except OSError as error:
            status, body = 502, f"{error}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[3])
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
