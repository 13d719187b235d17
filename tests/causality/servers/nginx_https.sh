# nginx_https - a proxy that speaks TLS to the server behind it, on new connections.
# rig: needs=nginx openssl
port=$1 back=$2 dir=$3 keep=${4:-}
. "$(dirname "$0")/../pages/tls_front.sh" "$back" "$dir"
pool='' proxied=''
[ -n "$keep" ] && pool='keepalive 64; keepalive_requests 1000000;' proxied='proxy_http_version 1.1; proxy_set_header Connection "";'
cat >"$dir/nginx.conf" <<END
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 8192; }
http { $common
  upstream back { server 127.0.0.1:$tls; $pool }
  server { listen 127.0.0.1:$port backlog=4096; location / { proxy_pass https://back; $proxied } } }
END
$TRACED nginx -p "$dir" -c nginx.conf &
pid=$!
trap 'kill $pid $tls_pid; wait' TERM
wait
