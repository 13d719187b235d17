#!/usr/bin/env bash
# make demo [KEEP=1]: HTTP/2 over TLS -> nginx -> FastCGI -> PHP -> https -> Python -> C with libcurl -> C, none of which knows
# of tracing; a request that works, one that fails and one that is slow; the trace of each. DEMO_FILE=path keeps the spans there.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
work=$(mktemp -d)
chmod 777 "$work" # nginx's workers give up root
spans=${DEMO_FILE:-$work/spans.jsonl}
pids=()

stop() {
	trap '' INT TERM
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

fail() {
	echo "demo: $*" >&2
	for log in "$work"/*.log; do [ -s "$log" ] && { echo "--- $log" >&2; tail -n 5 "$log" >&2; }; done
	exit 1
}

free_ports() {
	/usr/bin/python3 -c 'import socket
s = [socket.socket() for _ in range(5)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}
case $build in *[:\ ]*) fail "LD_PRELOAD cannot carry '$build', which holds a blank or a colon" ;; esac
read -r front page shop orders stock < <(free_ports)

# This is all that it takes: a library in front of the program, and a name for it.
start() { # service command...
	local service=$1
	shift
	env LD_PRELOAD="$build/libtagalong.so" OTEL_SERVICE_NAME="$service" OTEL_BSP_SCHEDULE_DELAY=100 \
		OTEL_TRACES_EXPORTER="${DEMO_EXPORTER:-otlp_file}" TAGALONG_FILE="$spans" "$@" >"$work/$service.log" 2>&1 &
	pids+=($!)
}

fpm=$(ls /usr/sbin/php-fpm[0-9]* 2>/dev/null | head -n 1)
[ -n "$fpm" ] || fail "php-fpm is not installed: make deps"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null || fail "openssl made no certificate"
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
chmod 644 "$work"/*.pem

cp "$top/demo/page.php" "$work/page.php"
cat >"$work/fpm.conf" <<EOF
[global]
error_log = $work/fpm.log
daemonize = no
[page]
$([ "$(id -u)" = 0 ] && printf 'user = www-data\ngroup = www-data\n')
listen = 127.0.0.1:$page
pm = static
pm.max_children = 2
EOF

mkdir -p "$work/nginx"
cat >"$work/nginx/nginx.conf" <<EOF
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { }
http {
	access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	server {
		listen 127.0.0.1:$front ssl http2;
		ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;
		location / {
			fastcgi_pass 127.0.0.1:$page;
			fastcgi_param SCRIPT_FILENAME $work/page.php;
			fastcgi_param DOCUMENT_URI \$document_uri; fastcgi_param REQUEST_URI \$request_uri;
			fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_SCHEME \$scheme;
			fastcgi_param SERVER_PROTOCOL \$server_protocol; fastcgi_param SERVER_NAME localhost;
			fastcgi_param SERVER_PORT \$server_port; fastcgi_param REMOTE_ADDR \$remote_addr;
			fastcgi_param SHOP https://localhost:$shop; fastcgi_param CA $work/cert.pem;
		}
	}
}
EOF

: >"$spans" && chmod 666 "$spans"
start stock "$build/demo/stock" "$stock"
start orders "$build/demo/orders" "$orders" "http://127.0.0.1:$stock"
start shop /usr/bin/python3 "$top/demo/shop.py" "$shop" "http://127.0.0.1:$orders" "$work/both.pem"
start page "$fpm" -F -y "$work/fpm.conf"
start front nginx -p "$work/nginx" -c nginx.conf

for port in $stock $orders $shop $page $front; do
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
		sleep 0.05
	done
	fail "nothing listens on port $port"
done

ask() { # item title
	local status
	status=$(curl -s -o "$work/answer" -w '%{http_code}' --cacert "$work/cert.pem" "https://localhost:$front/page/$1")
	printf '%s: GET /page/%s -> %s %s' "$2" "$1" "$status" "$(cat "$work/answer")"
	echo
}
echo "HTTP/2 over TLS -> nginx (front) -> FastCGI -> PHP (page) -> https -> Python (shop) -> C with libcurl (orders) -> C (stock)"
echo
ask 42 "a request that works"
ask 13 "one that fails      "
ask 99 "one that is slow    "
echo

if [ "${DEMO_EXPORTER:-otlp_file}" = otlp_file ]; then
	for _ in $(seq 60); do
		[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 27 ] && break
		sleep 0.1
	done
	"$build/tagalong" view "$spans"
	[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 27 ] || fail "not all of the 27 spans arrived"
else
	sleep 1
fi

if [ -n "${KEEP:-}" ]; then
	echo
	echo "Still running. More requests: curl --cacert $work/cert.pem https://localhost:$front/page/7"
	echo "Their traces:                 $build/tagalong view $spans"
	echo "To stop:                      Ctrl-C, or kill $$"
	while :; do sleep 1 & wait $!; done
fi
