#!/usr/bin/env bash
# A proxy that passes a traceparent on over HTTP/2: the span id in it becomes that of the proxy's CLIENT span, where the field is
# in no table (nginx, which writes it in Huffman code; HAProxy, which does not).
. "$(dirname "$0")/lib.sh"
need nginx jq curl
curl --version | grep -q HTTP2 || skip "this curl has no HTTP/2"
nginx -V 2>&1 | grep -q http_v2_module || skip "this nginx has no HTTP/2"
back=$(free_port) front=$(free_port)
nginx_conf "$work/back" "$back"
sed -i "s/listen 127.0.0.1:$back;/listen 127.0.0.1:$back http2;/" "$work/back/nginx.conf"
nginx_conf "$work/front" "$front" 1
sed -i "s/listen 127.0.0.1:$front;/listen 127.0.0.1:$front http2;/; s|location / .*|location / { grpc_pass grpc://127.0.0.1:$back; } } }|; /^upstream/d" \
	"$work/front/nginx.conf"
start_traced back nginx -p "$work/back" -c nginx.conf
start_traced nginx nginx -p "$work/front" -c nginx.conf
wait_port "$back" && wait_port "$front" || exit 1
proxies="nginx:$front"
if command -v haproxy >/dev/null; then
	front=$(free_port)
	# Unless it is to fork, it forbids itself new processes, and so threads (RLIMIT_NPROC 0; root's are not counted).
	cat >"$work/haproxy.cfg" <<-EOF
	global
	    nbthread 1
	    insecure-fork-wanted
	defaults
	    mode http
	    timeout connect 5s
	    timeout client 5s
	    timeout server 5s
	frontend in
	    bind 127.0.0.1:$front proto h2
	    default_backend back
	backend back
	    server s 127.0.0.1:$back proto h2
	EOF
	start_traced haproxy haproxy -db -f "$work/haproxy.cfg"
	wait_port "$front" || { cat "$work/haproxy.log"; exit 1; }
	proxies="$proxies haproxy:$front"
else
	echo "left out: haproxy is not installed"
fi
for proxy in $proxies; do
	name=${proxy%:*} url=http://127.0.0.1:${proxy#*:}/1k
	: >"$spans"
	: >"$work/back/access.log"
	# Fifty at a time, each with a context of its own; then some without.
	for i in $(seq 50); do
		id=$(md5sum <<<"$i") # the lower half of the trace's is the span's
		printf 'url = "%s?%d"\noutput = "/dev/null"\nhttp2-prior-knowledge\nheader = "traceparent: 00-%s-%s-01"\nnext\n' "$url" "$i" \
			"${id:0:32}" "${id:16:16}"
	done | sed '$d' >"$work/requests"
	curl -s --parallel --parallel-immediate --parallel-max 50 -K "$work/requests" >/dev/null 2>&1
	for _ in 1 2 3; do curl -s -o /dev/null --http2-prior-knowledge "$url"; done
	wait_spans 159
	sleep 0.5
	expect "$name: spans" "53 53 53" "$(flat "$spans" | jq -rs --arg p "$name" '[("\($p) 2", "\($p) 3", "back 2") as $k
		| map(select("\(.service) \(.kind)" == $k)) | length] | join(" ")')"
	expect "$name: each below the one before it, in the trace that it came with" 50 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
		| map(select(.service == "back" and .trace[16:] as $own | $by[.parent].kind == 3 and $by[$by[.parent].parent].kind == 2
			and $by[$by[.parent].parent].parent == $own and .trace == $by[.parent].trace)) | length')"
	expect "$name: no context is doubled or left as it was" "50 0" "$(awk 'split($1, query, "?") == 2 { n++; split($3, part, "-"); same += substr(part[2], 17) == part[3] } END { print n + 0, same + 0 }' "$work/back/access.log")"
done
finish
