# websocket_client.py URL: messages of many sizes, of which some look like requests; "as sent" when all came back as they were.
# Ends with its standard input.
import asyncio
import sys

import websockets

messages = [b"GET /inside HTTP/1.1\r\nHost: a\r\n\r\n", "text", b"", b"x" * 70000, b"HTTP/1.1 200 OK\r\n\r\n"]
messages += [bytes([n % 256]) * n for n in range(1, 400, 7)]


async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        for message in messages:
            await socket.send(message)
        answers = [await socket.recv() for _ in messages]
        print("as sent" if answers == messages else "different", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
