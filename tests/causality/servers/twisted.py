# twisted - Twisted's server and its Agent, with a pool of connections.
# rig: needs=py:twisted
# rig: calls=3
import sys

del sys.path[0]  # this file has the library's name
from twisted.internet import defer, reactor
from twisted.web import client, http_headers, resource, server

agent = client.Agent(reactor, pool=client.HTTPConnectionPool(reactor))


class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        defer.ensureDeferred(self.answer(request))
        return server.NOT_DONE_YET

    async def answer(self, request):
        _, _, number, calls = request.path.decode().split("/")
        gone = []
        request.notifyFinish().addErrback(gone.append)
        for i in range(int(calls)):
            answer = await agent.request(
                b"GET", f"http://127.0.0.1:{sys.argv[2]}/d/{number}/{i + 1}".encode(), http_headers.Headers({"X-Request-Id": [number]})
            )
            await client.readBody(answer)
        if not gone:
            request.write(f"done {number}\n".encode())
            request.finish()


reactor.listenTCP(int(sys.argv[1]), server.Site(Page()), backlog=4096, interface="127.0.0.1")
reactor.run()
