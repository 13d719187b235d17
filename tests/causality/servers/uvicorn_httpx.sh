# uvicorn_httpx - asyncio, ASGI; httpx's AsyncClient with a pool of connections.
# rig: needs=uvicorn py:httpx
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 PYTHONDONTWRITEBYTECODE=1 exec $TRACED uvicorn --loop asyncio --http h11 --no-access-log --log-level warning --backlog 4096 --host 127.0.0.1 --port "$1" asgi:app
