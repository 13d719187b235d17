# tornado - its server and its AsyncHTTPClient; each call on a connection of its own.
# rig: needs=py:tornado
# rig: calls=3
import sys

del sys.path[0]  # this file has the library's name
import asyncio

import tornado.httpclient
import tornado.web


class Handler(tornado.web.RequestHandler):
    async def get(self, number, calls):
        client = tornado.httpclient.AsyncHTTPClient()
        for i in range(int(calls)):
            await client.fetch(f"http://127.0.0.1:{sys.argv[2]}/d/{number}/{i + 1}", headers={"X-Request-Id": number})
        self.write(f"done {number}\n")


async def main():
    tornado.web.Application([(r"/r/(\d+)/(\d+)", Handler)], log_function=lambda handler: None).listen(
        int(sys.argv[1]), "127.0.0.1", backlog=4096
    )
    tornado.httpclient.AsyncHTTPClient.configure(None, max_clients=2000)
    await asyncio.Event().wait()


asyncio.run(main())
