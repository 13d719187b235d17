#!/usr/bin/env bash
# HTTP/2 with prior knowledge: every request has its two spans, the server's a child of the client's, whatever the
# kernel takes at a time and however many streams are in flight.
. "$(dirname "$0")/lib.sh"
need nginx jq gcc
nginx -V 2>&1 | grep -q http_v2_module || skip "this nginx has no HTTP/2"
client=$work/http2_client
gcc -O1 -Wall -Wextra -Werror -o "$client" "$top/tests/integration/snippets/http2_client.c" -lnghttp2 || skip "no libnghttp2 to build a client"

port=$(free_port)
nginx_conf "$work/web" "$port"
sed -i "s/listen 127.0.0.1:$port;/listen 127.0.0.1:$port http2; large_client_header_buffers 8 64k; http2_max_concurrent_streams 128;/" \
	"$work/web/nginx.conf"
start_traced web nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1

# name requests in_flight cookie
count() {
	: >"$spans"
	expect "$1: answers" "$2" "$(traced client "$client" "$port" "$2" "$3" "$4")"
	wait_spans $(($2 * 2))
	sleep 0.2
	expect "$1: spans" $(($2 * 2)) "$(count_spans)"
	expect "$1: pairs of client and server" "$2" "$(flat "$spans" | jq -s '
		(map({key: .span, value: .}) | from_entries) as $by
		| map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace
			and .a["url.path"] == "/1k" and ("?" + .a["url.query"]) == ($by[.parent].a["url.full"] | sub("[^?]*"; ""))
			and .a["network.protocol.version"] == "2" and .a["http.response.status_code"] == "200")) | length')"
}
count "one after the other" 50 1 0
count "100 in flight" 2000 100 0
count "long heads" 500 50 3000
count "heads at the longest frame" 100 10 16300
count "heads in several frames" 100 10 30000

# A client without us: its own context is the parent.
: >"$spans"
if curl --version | grep -q HTTP2; then
	curl -s --http2-prior-knowledge -o /dev/null -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' \
		"http://127.0.0.1:$port/1k"
	wait_spans 1
	expect "parent that was received" "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331" \
		"$(flat "$spans" | jq -r '.trace + " " + .parent')"
	: >"$spans"
	traced client curl -s --http2-prior-knowledge -o /dev/null "http://127.0.0.1:$port/none"
	wait_spans 2
	expect "curl and nginx hang together" "2 404 3" "$(flat "$spans" | jq -rs '
		(map({key: .span, value: .}) | from_entries) as $by | map(select(.kind == 2)) | .[0]
		| "\(.kind) \(.a["http.response.status_code"]) \($by[.parent].kind)"')"
fi
finish
