# curl_echo.py PORT MAIL_PORT: answers with the head that it read, a field a line; /again/X leads to /X; /mail tells the mail that
# came to MAIL_PORT; /vanish closes the connection unanswered, every other time; /status/N; /slow.
import http.server, socketserver, sys, threading, time

mail = []
vanished = [0]

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        body, status = "".join(f"{name}: {value}\n" for name, value in self.headers.items() if name != "Host").encode(), 200
        if self.path == "/mail":
            body = b"".join(mail)
            mail.clear()
        if self.path.startswith("/status/"):
            status = int(self.path[8:])
        if self.path == "/slow":
            time.sleep(3)
        if self.path == "/vanish":
            vanished[0] += 1
            if vanished[0] % 2:
                self.close_connection = True
                return
        if self.path.startswith("/again/"):
            self.send_response(302)
            self.send_header("Location", self.path[6:])
            body = b""
        else:
            self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
    do_POST = do_GET
    def log_message(self, *a):
        pass

class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            if line[:4].upper() == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for text in self.rfile:
                    if text == b".\r\n":
                        break
                    if b"boundary" not in text and not text.startswith(b"--"):
                        mail.append(text.replace(b"\r", b""))
            elif line[:4].upper() == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 good\r\n")

socketserver.ThreadingTCPServer.allow_reuse_address = True
threading.Thread(target=socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[2])), Mail).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
