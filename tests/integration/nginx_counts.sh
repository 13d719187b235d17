#!/usr/bin/env bash
# Every request of nginx has its span, no more and no fewer: kept connections, sendfile, pipelining, many connections,
# and a proxied pool whose spans hang together.
. "$(dirname "$0")/lib.sh"
need nginx jq

port=$(free_port)
nginx_conf "$work/web" "$port"
start_traced web nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1

# name requests connections pipeline
count() {
	local before after answers
	sleep 0.3
	before=$(count_spans)
	answers=$("$build/support/load" "$port" /1k "$2" "$3" "$4") || bad "$1: a connection broke"
	expect "$1: answers" "$2" "$answers"
	wait_spans $((before + $2))
	sleep 0.3
	after=$(count_spans)
	expect "$1: spans" "$2" $((after - before))
}
count "one kept connection, sendfile" 10000 1 1
count "pipelined by 8" 10000 1 8
count "64 connections" 10240 64 1
count "64 connections, pipelined by 4" 10240 64 4
stop_last
expect "all are SERVER spans with status 200" "40480" \
	"$(flat "$spans" | jq -c 'select(.kind == 2 and .a["http.response.status_code"] == "200" and .a["url.path"] == "/1k")' | wc -l)"

# A proxy in front: each CLIENT span is a child of the SERVER span of its own request, by the header it passes on.
: >"$spans"
back=$(free_port) port=$(free_port)
nginx_conf "$work/back" "$back" "" off
nginx_conf "$work/front" "$port" "$back"
start_traced back nginx -p "$work/back" -c nginx.conf
start_traced front nginx -p "$work/front" -c nginx.conf
wait_port "$back" && wait_port "$port" || exit 1
LOAD_HEADER=$'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n' \
	"$build/support/load" "$port" /1k 2000 1 1 >/dev/null || bad "the proxy broke a connection"
wait_spans 6000
sleep 0.3
expect "front, client and back spans" 6000 "$(count_spans)"
flat "$spans" | jq -s -c '
	(map({key: .span, value: .}) | from_entries) as $by
	| [.[] | select(.service == "back") | .parent as $p | ($by[$p].service + " " + ($by[$p].kind | tostring)
	   + " " + $by[$by[$p].parent].service + " " + ($by[$by[$p].parent].kind | tostring))] | group_by(.) | map([.[0], length])' >"$work/chains"
expect "chains back <- client <- front" '[["front 3 front 2",2000]]' "$(cat "$work/chains")"
expect "what the back end saw is what was exported" "2000" \
	"$(flat "$spans" | jq -r 'select(.service == "front" and .kind == 3) | .span' | sort >"$work/clients"
	   awk '{split($3, t, "-"); print t[3]}' "$work/back/access.log" | sort | comm -12 - "$work/clients" | wc -l)"

# A pool of two back ends, kept connections that any of 64 clients' requests may travel on.
stop_last
: >"$spans"
second=$(free_port) port=$(free_port)
nginx_conf "$work/second" "$second"
nginx_conf "$work/pool" "$port" "$back"
sed -i "s/^upstream up {.*/upstream up { server 127.0.0.1:$back; server 127.0.0.1:$second; keepalive 16; keepalive_requests 1000000; }/" \
	"$work/pool/nginx.conf"
start_traced second nginx -p "$work/second" -c nginx.conf
start_traced pool nginx -p "$work/pool" -c nginx.conf
wait_port "$second" && wait_port "$port" || exit 1
expect "the pool: answers" 10240 "$("$build/support/load" "$port" /1k 10240 64 1)"
wait_spans 30720
sleep 0.3
flat "$spans" >"$work/flat"
expect "the pool: front, client and back spans" "10240 2 10240 3 10240 back" \
	"$(jq -r 'if .service == "pool" then .kind else "back" end' "$work/flat" | sort | uniq -c | xargs)"
expect "both back ends had their share" "back 2 second 2" "$(jq -r 'select(.service != "pool") | "\(.service) \(.kind)"' "$work/flat" | sort -u | xargs)"
expect "each back span under a client span of its own" 10240 "$(jq -rs '(map(select(.kind == 3) | {key: .span, value: 1}) | from_entries) as $calls
	| map(select(.service != "pool" and $calls[.parent]) | .parent) | unique | length' "$work/flat")"
finish
