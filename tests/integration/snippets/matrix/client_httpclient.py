# http.client, a connection for each URL.
import http.client
import sys
import urllib.parse

for url in sys.argv[1:]:
    parts = urllib.parse.urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname, parts.port)
    connection.request("GET", parts.path)
    connection.getresponse().read()
    connection.close()
