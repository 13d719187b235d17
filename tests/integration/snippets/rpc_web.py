# A service by gRPC-Web and by Connect, and its client, by Python's own HTTP.
#   rpc_web.py server PORT
#   rpc_web.py client HOST:PORT KIND METHOD     KIND: web, text, unary, json, stream; prints what came of it
import base64
import http.client
import http.server
import sys

SERVICE = "/demo.v1.Greeter/"
TYPES = {"web": "application/grpc-web+proto", "text": "application/grpc-web-text", "unary": "application/proto",
         "json": "application/json", "stream": "application/connect+proto"}


def frame(payload, flag=0):
    return bytes([flag]) + len(payload).to_bytes(4, "big") + payload


def first(frames):
    return frames[5:5 + int.from_bytes(frames[1:5], "big")]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body, **fields):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def web(self, kind, method, body):
        if method != "Hello":  # without a body, so that the status stands in the head
            return self.answer(200, kind, b"", grpc_status={"Fail": "13", "Gone": "5"}.get(method, "12"))
        text = "text" in kind
        body = frame(b"hello " + first(base64.b64decode(body) if text else body)) + frame(b"grpc-status: 0\r\n", 0x80)
        return self.answer(200, kind, base64.b64encode(body) if text else body)

    def connect(self, kind, method, body):
        stream = kind.startswith("application/connect")
        if method == "Hello":
            hello = b"hello " + (first(body) if stream else body)
            return self.answer(200, kind, frame(hello) + frame(b"{}", 2) if stream else hello)
        status, code = {"Fail": (500, "internal"), "Gone": (404, "not_found")}.get(method, (404, "unimplemented"))
        return self.answer(status, "application/json", b'{"code": "%s"}' % code.encode())

    def do_POST(self):
        kind, method = self.headers["Content-Type"], self.path.removeprefix(SERVICE)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(self.path, kind, *(self.headers.get_all("traceparent") or ["-"]), flush=True)
        (self.web if "grpc-web" in kind else self.connect)(kind, method, body)

    def log_message(self, *args):
        pass


def client(where, kind, method):
    body = b"you" if kind in ("unary", "json") else frame(b"you")
    fields = {"Content-Type": TYPES[kind], "X-Pad": "x"}
    if kind in ("unary", "json"):
        fields["Connect-Protocol-Version"] = "1"
    connection = http.client.HTTPConnection(where)
    connection.request("POST", SERVICE + method, base64.b64encode(body) if kind == "text" else body, fields)
    answer = connection.getresponse()
    got = answer.read()
    got = base64.b64decode(got) if kind == "text" else got
    if answer.status == 200 and got:
        got = got if kind in ("unary", "json") else first(got)
    print(answer.status, answer.headers["grpc-status"] or "-", got.decode() or "-")


if sys.argv[1] == "server":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
client(*sys.argv[2:])
