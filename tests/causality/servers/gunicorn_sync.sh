# gunicorn_sync - WSGI, worker class sync.
# rig: needs=gunicorn
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 PYTHONDONTWRITEBYTECODE=1 exec $TRACED gunicorn -k sync -w 24 --backlog 4096 --keep-alive 1 -b 127.0.0.1:$1 --worker-tmp-dir /dev/shm wsgi:app
