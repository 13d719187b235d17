# eventlet - its WSGI server, green threads and a blocking client made green.
# rig: needs=py:eventlet
# rig: calls=3
import sys

del sys.path[0]  # this file has the library's name
import eventlet

eventlet.monkey_patch()
import http.client

import eventlet.wsgi


def app(environ, start_response):
    _, _, number, calls = environ["PATH_INFO"].split("/")
    for i in range(int(calls)):
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
        connection.request("GET", f"/d/{number}/{i + 1}", headers={"X-Request-Id": number})
        connection.getresponse().read()
        connection.close()
    body = f"done {number}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1])), backlog=4096), app, log_output=False, max_size=4096)
