# For uWSGI and gunicorn: answers, and says in a file what it was asked.
import os


def application(environ, start_response):
    with open(os.environ["GOT"], "a") as got:
        got.write(environ["PATH_INFO"] + " " + environ.get("HTTP_TRACEPARENT", "-") + "\n")
    start_response("200 OK", [("Content-Length", "3"), ("Content-Type", "text/plain")])
    return [b"ok\n"]
