# python_postgres - a thread for each connection, psycopg2; they wait for one of 8 connections to PostgreSQL.
# rig: needs=/usr/lib/postgresql/1?/bin/postgres py:psycopg2
# rig: back=postgres
# rig: calls=3
# rig: warm=1000
import http.server
import queue
import sys

import psycopg2

pool = queue.LifoQueue()
for _ in range(8):
    pool.put(psycopg2.connect(host="127.0.0.1", port=sys.argv[2], user="rig", dbname="postgres", sslmode="disable", gssencmode="disable"))
    pool.queue[-1].autocommit = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, _, number, calls = self.path.split("/")
        for i in range(int(calls)):
            connection = pool.get()
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT '/d/{number}/{i + 1}', pg_sleep(0.01 * random())")
                cursor.fetchall()
            pool.put(connection)
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
