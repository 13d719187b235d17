#!/usr/bin/env bash
# make demo [KEEP=1]: nginx -> Python -> C with libcurl -> C, none of which knows of tracing; a request that works, one that
# fails and one that is slow; the trace of each. DEMO_FILE=path keeps the spans there.
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
s = [socket.socket() for _ in range(4)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}
case $build in *[:\ ]*) fail "LD_PRELOAD cannot carry '$build', which holds a blank or a colon" ;; esac
read -r front shop orders stock < <(free_ports)

# This is all that it takes: a library in front of the program, and a name for it.
start() { # service command...
	local service=$1
	shift
	env LD_PRELOAD="$build/libtagalong.so" OTEL_SERVICE_NAME="$service" OTEL_BSP_SCHEDULE_DELAY=100 \
		OTEL_TRACES_EXPORTER="${DEMO_EXPORTER:-otlp_file}" TAGALONG_FILE="$spans" "$@" >"$work/$service.log" 2>&1 &
	pids+=($!)
}

mkdir -p "$work/nginx"
cat >"$work/nginx/nginx.conf" <<EOF
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { }
http {
	access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	upstream shop { server 127.0.0.1:$shop; keepalive 4; }
	server {
		listen 127.0.0.1:$front;
		location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
EOF

: >"$spans" && chmod 666 "$spans"
start stock "$build/demo/stock" "$stock"
start orders "$build/demo/orders" "$orders" "http://127.0.0.1:$stock"
start shop /usr/bin/python3 "$top/demo/shop.py" "$shop" "http://127.0.0.1:$orders"
start front nginx -p "$work/nginx" -c nginx.conf

for port in $stock $orders $shop $front; do
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
		sleep 0.05
	done
	fail "nothing listens on port $port"
done

ask() { # item title
	local status
	status=$(curl -s -o "$work/answer" -w '%{http_code}' "http://127.0.0.1:$front/shop/$1")
	printf '%s: GET /shop/%s -> %s %s' "$2" "$1" "$status" "$(cat "$work/answer")"
	echo
}
echo "nginx (front) -> Python (shop) -> C with libcurl (orders) -> C (stock)"
echo
ask 42 "a request that works"
ask 13 "one that fails      "
ask 99 "one that is slow    "
echo

if [ "${DEMO_EXPORTER:-otlp_file}" = otlp_file ]; then
	for _ in $(seq 60); do
		[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 21 ] && break
		sleep 0.1
	done
	"$build/tagalong" view "$spans"
	[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 21 ] || fail "not all of the 21 spans arrived"
else
	sleep 1
fi

if [ -n "${KEEP:-}" ]; then
	echo
	echo "Still running. More requests: curl http://127.0.0.1:$front/shop/7"
	echo "Their traces:                 $build/tagalong view $spans"
	echo "To stop:                      Ctrl-C, or kill $$"
	while :; do sleep 1 & wait $!; done
fi
