# uwsgi - its own HTTP socket, processes.
# rig: needs=uwsgi
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 PYTHONDONTWRITEBYTECODE=1 exec $TRACED uwsgi --plugin python3 --http-socket "127.0.0.1:$1" --listen 128 --processes 16 --wsgi-file wsgi.py \
	--callable app --disable-logging --die-on-term --master
