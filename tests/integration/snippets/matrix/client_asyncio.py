# asyncio streams: TLS through memory BIOs, all URLs at the same time.
import asyncio
import ssl
import sys
import urllib.parse


async def get(url):
    parts = urllib.parse.urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()


async def main():
    await asyncio.gather(*(get(url) for url in sys.argv[1:]))


asyncio.run(main())
