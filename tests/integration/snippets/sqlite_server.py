# sqlite_server.py PORT FILE: each request asks the database, on a connection and in a thread of its own; /many/N so many times.
import sqlite3, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, path = int(sys.argv[1]), sys.argv[2]
with sqlite3.connect(path) as db:
    db.execute("CREATE TABLE IF NOT EXISTS r(x)")
    db.execute("INSERT INTO r VALUES(1)")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        db = sqlite3.connect(path)
        body = str(db.execute(f"SELECT x, '{self.path}' FROM r").fetchall()).encode()
        for i in range(int(self.path[6:]) if self.path.startswith("/many/") else 0):
            db.execute("SELECT count(*) FROM r WHERE x = ?", (i,)).fetchall()
            db.execute(f"SELECT count(*) FROM r WHERE x > {i}").fetchall()
        db.close()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
