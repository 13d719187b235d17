"""pq_load.py PORT THREADS REQUESTS: each on a kept connection, GET /ID with an id of its own, whose answer is the id."""
import http.client, sys, threading
port, threads, requests = map(int, sys.argv[1:4])
wrong = []

def run(first):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(requests):
        name = str(first * requests + i + 1)
        connection.request("GET", "/" + name)
        body = connection.getresponse().read().decode().strip()
        if body != name:
            wrong.append((name, body))
    connection.close()

all_of_them = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
for one in all_of_them: one.start()
for one in all_of_them: one.join()
print("wrong:", wrong) if wrong else print("all answered")
