# starman - processes, HTTP::Tiny.
# rig: needs=starman
# rig: calls=3
BACK=$2 exec $TRACED starman --workers 24 --keepalive-timeout 1 --backlog 4096 -l "127.0.0.1:$1" "$(dirname "$0")/../pages/app.psgi"
