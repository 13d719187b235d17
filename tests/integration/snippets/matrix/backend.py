# A WSGI application that says each context that it finds among its variables.
def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    seen = [f"{name}={value}\n" for name, value in sorted(environ.items()) if "traceparent" in name.lower()]
    return ["".join(seen).encode() + b"body=%d\n" % len(body)]
