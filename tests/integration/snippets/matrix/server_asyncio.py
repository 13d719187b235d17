# An asyncio server of a few lines, over TLS (through memory BIOs) when there is a certificate.
import asyncio
import ssl
import sys


async def serve(reader, writer):
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = [line.split(": ", 1)[1] for line in head if line.lower().startswith("traceparent:")]
        print(head[0].split()[1], *(fields or ["-"]), flush=True)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2])
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), ssl=context)).serve_forever()


asyncio.run(main())
