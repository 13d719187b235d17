# parents_load.py PORT CLIENTS REQUESTS: each request has a path of its own; exits 1 unless all are answered with 200.
import http.client, random, sys, threading, time

port, clients, requests = map(int, sys.argv[1:4])
good = []

def client(number):
    for i in range(requests):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/r/{number}-{i}")
        answer = connection.getresponse()
        answer.read()  # to its end: a client that closes before it has its next request in flight beside this one
        if answer.status == 200:
            good.append(1)
        connection.close()
        time.sleep(random.random() * 0.01 if clients > 1 else 0)

threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(len(good) != clients * requests)
