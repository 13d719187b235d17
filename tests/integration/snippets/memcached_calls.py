# memcached_calls.py PORT PATH WAY: pymemcache, python3-memcache, or lines of the meta protocol on a plain socket.
import socket
import sys

port, path, way = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def pymemcache():
    from pymemcache.client.base import Client
    from pymemcache.exceptions import MemcacheClientError

    c = Client(path or ("127.0.0.1", port), default_noreply=False)
    print(c.set("secret:1", "secret"), c.add("secret:1", "x"), c.get("secret:1"), c.get("secret:2"))
    print(c.set_many({"secret:%d" % i: "secret" for i in range(3, 8)}))
    print(c.get_many(["secret:3", "secret:4", "secret:none"]))
    print(c.gets("secret:3")[0], c.cas("secret:3", "y", b"1"), c.touch("secret:3", 60))
    print(c.set("n", "5"), c.incr("n", 2), c.decr("n", 100))
    try:
        c.incr("secret:1", 1)
    except MemcacheClientError as error:
        print(error)
    print(c.delete("secret:1"), c.delete("secret:1"), c.version()[:1])
    print(c.set("secret:1", "secret", noreply=True), c.delete("secret:4", noreply=True), c.get("secret:1"), c.get("secret:4"))
    big = "x" * 20000000
    print(c.set("secret:big", big), len(c.get("secret:big")))
    c.close()


def memcache():
    import memcache

    c = memcache.Client(["unix:" + path if path else "127.0.0.1:%d" % port])
    print(c.set("secret:1", "secret"), c.get("secret:1"), c.get("secret:2"))
    print(c.set_multi({"secret:a": "secret", "secret:b": 7}), sorted(c.get_multi(["secret:a", "secret:b", "secret:c"]).items()))
    print(c.incr("secret:b"), c.delete("secret:a"), c.delete("secret:a"))
    c.disconnect_all()


def meta():
    s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    s.connect(path or ("127.0.0.1", port))
    f = s.makefile("rb")

    def ask(lines, last):
        s.sendall(lines)
        while True:
            line = f.readline()
            print(line)
            if line.startswith(last) or not line:
                break

    ask(b"ms secret:1 6 T90\r\nsecret\r\n", b"HD")
    ask(b"mg secret:1 v\r\n", b"secret")
    ask(b"mg secret:2 v\r\n", b"EN")
    ask(b"mg secret:1 v q\r\nmg secret:2 v q\r\nmg secret:1 k q\r\nmn\r\n", b"MN")
    s.sendall(b"ms secret:3 2 q\r\nab\r\n")
    ask(b"mn\r\n", b"MN")
    ask(b"mg secret:3 v\r\n", b"ab")
    ask(b"ma secret:1\r\n", b"CLIENT_ERROR")
    ask(b"md secret:1\r\n", b"HD")
    ask(b"md secret:1\r\n", b"NF")
    ask(b"get secret:3\r\nget secret:3\r\n", b"END")
    print(f.readline(), f.readline(), f.readline())
    s.sendall(b"quit\r\n")
    print(f.read())


globals()[way]()
