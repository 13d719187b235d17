# gunicorn_gthread - WSGI, worker class gthread.
# rig: needs=gunicorn
# rig: warm=400
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 PYTHONDONTWRITEBYTECODE=1 exec $TRACED gunicorn -k gthread -w 2 --threads 32 --backlog 4096 --keep-alive 1 -b 127.0.0.1:$1 --worker-tmp-dir /dev/shm wsgi:app
