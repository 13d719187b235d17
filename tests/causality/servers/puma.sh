# puma - a reactor and 32 threads, Net::HTTP.
# rig: needs=puma
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 exec $TRACED puma -q -t 32:32 -b "tcp://127.0.0.1:$1?backlog=4096" config.ru
