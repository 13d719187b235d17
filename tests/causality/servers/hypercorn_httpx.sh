# hypercorn_httpx - the same page behind hypercorn.
# rig: needs=hypercorn py:httpx
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 PYTHONDONTWRITEBYTECODE=1 exec $TRACED hypercorn --backlog 4096 -w 1 -b "127.0.0.1:$1" asgi:app
