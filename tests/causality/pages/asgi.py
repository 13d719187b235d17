import os

import httpx

BACK = int(os.environ["BACK"])
client = None


async def app(scope, receive, send):
    global client
    if scope["type"] == "lifespan":
        await receive()
        client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None, max_keepalive_connections=100), trust_env=False)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await client.aclose()
        await send({"type": "lifespan.shutdown.complete"})
        return
    _, _, number, calls = scope["path"].split("/")
    for i in range(int(calls)):
        await client.get(f"http://127.0.0.1:{BACK}/d/{number}/{i + 1}", headers={"X-Request-Id": number})
    body = f"done {number}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
