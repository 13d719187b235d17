#!/usr/bin/env bash
# More HTTP/2 connections at once than there are arenas, at either end: every request has its spans, the memory of a server with
# so many at rest stays within bounds, and so it is for those that are made when they are gone.
. "$(dirname "$0")/lib.sh"
need nginx jq h2load
nginx -V 2>&1 | grep -q http_v2_module || skip "this nginx has no HTTP/2"
[ "$(ulimit -n)" -ge 4096 ] || ulimit -n 4096 2>/dev/null || skip "too few descriptors"

# bare or traced
serve() {
	port=$(free_port)
	nginx_conf "$work/$1" "$port"
	sed -i "s/listen 127.0.0.1:$port;/listen 127.0.0.1:$port http2 backlog=2048;/; s/worker_connections 1024/worker_connections 4096/" "$work/$1/nginx.conf"
	if [ "$1" = bare ]; then
		background nginx -p "$work/$1" -c nginx.conf
	else
		start_traced web nginx -p "$work/$1" -c nginx.conf
	fi
	wait_port "$port" || exit 1
}
peak() { awk '/VmHWM/ { print $2 }' "/proc/$(cat "/proc/${pids[-1]}/task/${pids[-1]}/children" | cut -d' ' -f1)/status"; }
load() { "$@" h2load -n 2000 -c 1000 -m 1 "http://127.0.0.1:$port/1k" 2>&1 | grep -o '[0-9]* succeeded'; }

serve bare
expect "without us" "2000 succeeded" "$(load env)"
bare=$(peak)
stop_last
serve traced
for turn in 1 2; do
	: >"$spans"
	expect "all answered" "2000 succeeded" "$(load traced load)"
	wait_spans 4000
	sleep 0.2
	expect "turn $turn: a pair for each request" "4000 2000" "$(flat "$spans" | jq -rs '
		(map({key: .span, value: .}) | from_entries) as $by
		| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | map(.parent) | unique | length)"')"
done
traced=$(peak)
# Of 1001 arenas as large as they may become: 350 MB.
[ $((traced - bare)) -lt 65536 ] || bad "the worker took $traced KiB, $bare without us"
echo "peak of the worker: $traced KiB, $bare without us"
finish
