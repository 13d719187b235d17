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

# Two connections with 100 streams each in flight: a span for each at either end, each pair a trace of its own.
if command -v h2load >/dev/null; then
	others=$(free_port)
	if command -v nghttpd >/dev/null; then
		start_traced nghttpd nghttpd --no-tls -a 127.0.0.1 -d "$work/web/html" "$others"
		wait_port "$others" || exit 1
	else
		echo "left out: nghttpd is not installed"
		others=
	fi
	for at in $port $others; do
		: >"$spans"
		expect "h2load: all answered" "4000 succeeded" "$(traced load h2load -n 4000 -c 2 -m 100 "http://127.0.0.1:$at/1k" |
			grep -o '[0-9]* succeeded')"
		wait_spans 8000
		sleep 0.2
		expect "h2load: a pair for each stream, each pair its own trace" "8000 4000 4000" "$(flat "$spans" | jq -rs '
			(map({key: .span, value: .}) | from_entries) as $by
			| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | map(.parent) | unique | length) \(map(.trace) | unique | length)"')"
	done
else
	echo "left out: h2load is not installed"
fi

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

# HTTP/1.1 that asks for more: the request is answered in stream 1, its span goes on there. A server may ignore it.
modules=/usr/lib/apache2/modules
if [ -e "$modules/mod_http2.so" ] && curl --version | grep -q HTTP2; then
	up=$(free_port) plain=$(free_port)
	mkdir -p "$work/apache/www" "$work/apache/logs"
	echo hello >"$work/apache/www/1k"
	chmod -R 777 "$work/apache"
	cat >"$work/apache/httpd.conf" <<-EOF
	ServerRoot $work/apache
	ServerName localhost
	Listen 127.0.0.1:$up
	PidFile $work/apache/pid
	LoadModule mpm_event_module $modules/mod_mpm_event.so
	LoadModule authz_core_module $modules/mod_authz_core.so
	LoadModule http2_module $modules/mod_http2.so
	User www-data
	Group www-data
	DocumentRoot $work/apache/www
	ErrorLog logs/error
	Protocols h2c http/1.1
	H2Upgrade on
	EOF
	nginx_conf "$work/plain" "$plain"
	start_traced apache apache2 -f "$work/apache/httpd.conf" -DFOREGROUND
	start_traced plain nginx -p "$work/plain" -c nginx.conf
	wait_port "$up" && wait_port "$plain" || exit 1
	# Now and then Apache takes a connection for idle that it has just upgraded, and goes away before it has looked at what
	# follows: bare as well. Then once more.
	patient() {
		for _ in $(seq 20); do
			"$@" >"$work/patient" 2>&1
			grep -q 'requests were not processed' "$work/patient" || break
			wait_spans 4 && sleep 1 # three of the client's, one of Apache's
			: >"$spans"
		done
		cat "$work/patient"
	}
	# name requests statuses command...
	pairs() {
		local name=$1 count=$2 statuses=$3
		shift 3
		: >"$spans"
		patient traced client "$@" >"$work/out" 2>&1
		wait_spans $((2 * count))
		sleep 0.1
		expect "$name" "$((2 * count)) $count $statuses" "$(flat "$spans" | jq -rs '
			(map({key: .span, value: .}) | from_entries) as $by
			| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | length) "
			+ (map(select(.kind == 3)) | map(.a["http.response.status_code"] + "/" + .a["network.protocol.version"]) | sort | join(" "))')"
	}
	pairs "Upgrade: h2c" 1 200/1.1 curl -s --http2 -o /dev/null -w '%{http_version}' "http://127.0.0.1:$up/1k"
	expect "curl got HTTP/2" 2 "$(cat "$work/out")"
	pairs "Upgrade: h2c with a body, and an error" 1 404/1.1 curl -s --http2 -o /dev/null -d body "http://127.0.0.1:$up/none"
	pairs "Upgrade: h2c that is ignored" 1 200/1.1 curl -s --http2 -o /dev/null -w '%{http_version}' "http://127.0.0.1:$plain/1k"
	expect "curl stayed with HTTP/1.1" 1.1 "$(cat "$work/out")"
	if command -v nghttp >/dev/null; then
		pairs "streams that follow it" 3 "200/1.1 200/2 404/2" nghttp -u -n -m 1 "http://127.0.0.1:$up/1k" \
			"http://127.0.0.1:$up/none" "http://127.0.0.1:$up/1k?again"
	else
		echo "left out: nghttp is not installed"
	fi
fi
finish
