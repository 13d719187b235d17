import http.client
import os

BACK = int(os.environ["BACK"])


def app(environ, start_response):
    _, _, number, calls = environ["PATH_INFO"].split("/")
    for i in range(int(calls)):
        connection = http.client.HTTPConnection("127.0.0.1", BACK)
        connection.request("GET", f"/d/{number}/{i + 1}")
        connection.getresponse().read()
        connection.close()
    body = f"done {number}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
