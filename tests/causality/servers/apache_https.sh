# apache_https - httpd as a proxy, MPM event, that speaks TLS to the server behind it.
# rig: needs=/usr/sbin/apache2 nginx openssl
. "$(dirname "$0")/../pages/tls_front.sh" "$2" "$3"
bash "${0%_https.sh}_event.sh" "$1" "$tls" "$3" event https &
pid=$!
trap 'kill $pid $tls_pid; wait' TERM
wait
