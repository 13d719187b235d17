# web.py PORT: a server whose requests ask PostgreSQL: on a connection of their own, on one that is kept, in a pipeline.
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import psycopg, psycopg2
kept = psycopg2.connect("host=127.0.0.1")
kept.autocommit = True
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        own = psycopg.connect("host=127.0.0.1", autocommit=True)
        own.execute("select %s::text", (self.path,))
        own.close()
        kept.cursor().execute("select 1 as kept")
        body = b"done\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
