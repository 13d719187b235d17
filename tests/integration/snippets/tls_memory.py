"""tls_memory.py PORT CERT KEY: handshakes that fail: asyncio's, which is in memory BIOs with a socket beside them, and two that no
socket is known of: with a server whose certificate nobody trusts, with one that speaks no TLS. Then one that nobody answers."""
import asyncio
import ssl
import sys


def shake(session):
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return True


def client():
    to, frm = ssl.MemoryBIO(), ssl.MemoryBIO()
    return ssl.create_default_context().wrap_bio(to, frm, server_hostname="localhost"), to, frm


async def connect():
    try:
        await asyncio.open_connection("localhost", int(sys.argv[1]), ssl=ssl.create_default_context())
    except ssl.SSLError:
        print("refused")

asyncio.run(connect())

here, to_here, from_here = client()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
to_there, from_there = ssl.MemoryBIO(), ssl.MemoryBIO()
there = context.wrap_bio(to_there, from_there, server_side=True)
while shake(here):
    to_there.write(from_here.read())
    shake(there)
    to_here.write(from_there.read())
print("refused")

here, to_here, from_here = client()
shake(here)
to_here.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
print("went on" if shake(here) else "refused")

here, to_here, from_here = client()
to_here.write_eof()
print("went on" if shake(here) else "refused")
