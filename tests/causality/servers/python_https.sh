# python_https - a thread for each connection, blocking calls over TLS.
# rig: needs=nginx openssl
# rig: calls=3
. "$(dirname "$0")/../pages/tls_front.sh" "$2" "$3"
RIG_TLS=1 $TRACED /usr/bin/python3 "${0%_https.sh}_threads.py" "$1" "$tls" &
pid=$!
trap 'kill $pid $tls_pid; wait' TERM
wait
