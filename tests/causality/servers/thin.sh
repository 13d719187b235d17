# thin - EventMachine's loop, and in it Net::HTTP, which blocks.
# rig: needs=thin
# rig: calls=3
cd "$(dirname "$0")/../pages" || exit 1
BACK=$2 exec $TRACED thin -a 127.0.0.1 -p "$1" -R thin.ru -e production -q start
