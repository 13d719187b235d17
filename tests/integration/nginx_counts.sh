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
count "64 connections" 9600 64 1
count "64 connections, pipelined by 4" 9600 64 4
stop_last
expect "all are SERVER spans with status 200" "39200" \
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
finish
