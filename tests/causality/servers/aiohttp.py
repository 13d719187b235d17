# aiohttp - asyncio, aiohttp's server and client; at most 100 connections, as is its default.
# rig: needs=py:aiohttp
# rig: calls=3
import sys

del sys.path[0]  # this file has the library's name
import aiohttp
from aiohttp import web


async def handle(request):
    number, calls = request.match_info["id"], int(request.match_info["calls"])
    for i in range(calls):
        async with request.app["session"].get(f"http://127.0.0.1:{sys.argv[2]}/d/{number}/{i + 1}", headers={"X-Request-Id": number}) as answer:
            await answer.read()
    return web.Response(text=f"done {number}\n")


async def session(app):
    app["session"] = aiohttp.ClientSession()
    yield
    await app["session"].close()


app = web.Application()
app.router.add_get("/r/{id}/{calls}", handle)
app.cleanup_ctx.append(session)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), backlog=4096, access_log=None)
