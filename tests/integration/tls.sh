#!/usr/bin/env bash
# HTTP inside TLS: bytes exact whatever the library takes at a time, a chain of https hops as one trace, handshakes that fail,
# many streams at once, and what is not HTTP left alone.
. "$(dirname "$0")/lib.sh"
need jq curl openssl nginx gcc /usr/bin/python3
here=$top/tests/integration/snippets
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
chmod 644 "$work"/*.pem
export SSL_CERT_FILE=$work/cert.pem

# --- every mode of SSL_write, WANT_WRITE at every turn, records of all sizes ---------------------------------------------
if gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$work/exact" "$here/tls_exact.c" -lssl -lcrypto; then
	expect "bytes, bare" "724 0" "$("$work/exact" "$work/both.pem" 2>&1)"
	expect "bytes, traced" "724 724" "$(traced exact "$work/exact" "$work/both.pem" 2>&1)"
	wait_spans 1448
	expect "each request a CLIENT and a SERVER span, the one the other's parent" "1448 724" "$(flat "$spans" | jq -rs '
		(map({key: .span, value: .}) | from_entries) as $by
		| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3)) | length)"')"
else
	echo "left out: no libssl to build with"
fi

# --- two libraries of one name in a process: each session goes to its own ------------------------------------------------
. "$here/tls_copies.sh"
expect "each its own library" "1111 2222 1111 2222 clean" "$(tls_copies "$work" && traced copies "$work/copies")"

# --- curl -> nginx (https, h2) -> https -> python ------------------------------------------------------------------------
front=$(free_port) back=$(free_port)
nginx_conf "$work/front" "$front"
sed -i "s|listen .*|listen 127.0.0.1:$front ssl http2; ssl_protocols TLSv1.3; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; proxy_http_version 1.1; location / { proxy_pass https://127.0.0.1:$back; proxy_set_header Connection ''; proxy_ssl_server_name on; } } }|" "$work/front/nginx.conf"
TAGALONG_TLS_ATTRIBUTES=true start_traced front nginx -p "$work/front" -c nginx.conf
start_traced back /usr/bin/python3 "$here/matrix/server.py" "$back" "$work/both.pem"
wait_port "$front" && wait_port "$back" || exit 1
for version in --http2 --http1.1; do
	: >"$spans"
	TAGALONG_TLS_ATTRIBUTES=true traced client curl -sS --cacert "$SSL_CERT_FILE" $version "https://localhost:$front/x" >/dev/null
	wait_spans 4
	expect "$version: one trace through four programs" "client3https front2https front3https back2https 1" "$(flat "$spans" | jq -rs '
		(map(select(.parent == "")) | .[0]) as $root | . as $all
		| def down($of): $all | map(select(.parent == $of.span)) | .[0];
		[$root, down($root), down(down($root)), down(down(down($root)))]
		| (map("\(.service)\(.kind)\(.a["url.scheme"] // (.a["url.full"] | sub(":.*"; "")))") | join(" ")) + " " + (map(.trace) | unique | length | tostring)')"
	alpn=http/1.1
	[ $version = --http2 ] && alpn=h2
	expect "$version: what TLS agreed on, at both ends" "client 3 $alpn localhost 1.3; front 2 $alpn localhost 1.3" "$(flat "$spans" | jq -rs '
		map(select("\(.service) \(.kind)" == ("client 3", "front 2"))) | sort_by(.service)
		| map("\(.service) \(.kind) \(.a["tls.next_protocol"]) \(.a["tagalong.tls.server_name"]) \(.a["tls.protocol.version"])") | join("; ")')"
	expect "$version: and nothing of it where nobody asked" null "$(flat "$spans" | jq -rs 'map(select(.service == "back")) | .[0].a["tls.cipher"]')"
	expect "$version: addresses of the socket underneath" "127.0.0.1 127.0.0.1" "$(flat "$spans" | jq -rs '
		"\(map(select(.service == "front" and .kind == 2)) | .[0].a["network.peer.address"]) \(map(select(.service == "front" and .kind == 3)) | .[0].a["network.peer.address"])"')"
done

# --- handshakes that fail are calls that fail ----------------------------------------------------------------------------
: >"$spans"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout "$work/other.key" -out "$work/other.pem" 2>/dev/null
get='import sys, urllib.request; urllib.request.urlopen(sys.argv[1])'
traced client env SSL_CERT_FILE="$work/other.pem" /usr/bin/python3 -c "$get" "https://localhost:$front/" >/dev/null 2>&1
traced libcurl curl -s --cacert "$work/other.pem" "https://localhost:$front/" >/dev/null
plain=$(free_port)
nginx_conf "$work/plain" "$plain"
background nginx -p "$work/plain" -c nginx.conf
wait_port "$plain"
traced client /usr/bin/python3 -c "$get" "https://127.0.0.1:$plain/" >/dev/null 2>&1
traced libcurl curl -s "https://127.0.0.1:$plain/" >/dev/null
wait_spans 4
expect "failed handshakes" "3 server_certificate_invalid 3 tls_handshake_failed" "$(flat "$spans" |
	jq -rs 'map(select(.kind == 3 and .service == "client") | "\(.kind) \(.a["error.type"])") | unique | join(" ")')"
expect "failed handshakes, as libcurl tells them" "GET CURLE_PEER_FAILED_VERIFICATION GET CURLE_SSL_CONNECT_ERROR" "$(flat "$spans" |
	jq -rs 'map(select(.kind == 3 and .service == "libcurl") | "\(.name) \(.a["error.type"])") | unique | join(" ")')"
: >"$spans"
memory() { "$@" /usr/bin/python3 "$top/tests/integration/snippets/tls_memory.py" "$front" "$work/cert.pem" "$work/key.pem" | xargs; }
expect "handshakes in memory, bare" "refused refused refused refused" "$(memory env SSL_CERT_FILE="$work/other.pem")"
expect "handshakes in memory" "refused refused refused refused" "$(memory traced memory env SSL_CERT_FILE="$work/other.pem")"
wait_spans 3
expect "handshakes in memory: a span each, once the peer has answered" \
	"server_certificate_invalid localhost $front, server_certificate_invalid localhost null, tls_handshake_failed localhost null" \
	"$(flat "$spans" | jq -rs 'map(select(.service == "memory" and .name == "connect" and .kind == 3 and .end > .start))
		| map("\(.a["error.type"]) \(.a["server.address"]) \(.a["network.peer.port"])") | sort | join(", ")')"
stop_last

# --- many streams at once: a span for each, on both sides ----------------------------------------------------------------
if command -v h2load >/dev/null && command -v nghttpd >/dev/null; then
	there=$(free_port)
	start_traced nghttpd nghttpd -a 127.0.0.1 -d "$work/plain/html" "$there" "$work/key.pem" "$work/cert.pem"
	wait_port "$there" || exit 1
	nginx_conf "$work/web" "$plain"
	sed -i "s|listen 127.0.0.1:$plain;|listen 127.0.0.1:$plain ssl http2; http2_max_concurrent_streams 128; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;|" "$work/web/nginx.conf"
	start_traced web nginx -p "$work/web" -c nginx.conf
	wait_port "$plain" || exit 1
	for port in $there $plain; do
		: >"$spans"
		expect "h2load: all answered" "4000 succeeded" "$(traced load h2load -n 4000 -c 2 -m 100 "https://127.0.0.1:$port/1k" |
			grep -o '[0-9]* succeeded')"
		wait_spans 8000
		sleep 0.2
		expect "a pair for each stream, each pair its own trace" "8000 4000 4000" "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
			| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | map(.parent) | unique | length) \(map(.trace) | unique | length)"')"
	done
else
	echo "left out: h2load or nghttpd is not installed"
fi

# --- no HTTP: untouched, no span -----------------------------------------------------------------------------------------
: >"$spans"
port=$(free_port)
start_traced echo openssl s_server -quiet -rev -port "$port" -cert "$work/cert.pem" -key "$work/key.pem"
wait_port "$port"
mkfifo "$work/say"
exec 8<>"$work/say"
env LD_PRELOAD="$lib" OTEL_SERVICE_NAME=talk OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
	openssl s_client -quiet -connect "127.0.0.1:$port" <&8 >"$work/talk.log" 2>&1 &
pids+=($!)
echo hello >&8
for _ in $(seq 400); do grep -q '^olleh$' "$work/talk.log" && break; sleep 0.05; done
expect "lines that are not HTTP" 1 "$(grep -c '^olleh$' "$work/talk.log")"
stop_last
exec 8>&-
sleep 0.3
expect "no span for them" 0 "$(flat "$spans" | jq -s 'map(select(.a["error.type"] | not)) | length')"

# --- torn out of the middle of a call: what comes after is seen
: >"$spans"
if gcc -D_GNU_SOURCE -O1 -w -o "$work/jump" "$top/tests/integration/snippets/tls_jump.c" -lssl -lcrypto 2>/dev/null; then
	"$work/jump" "$port"
	expect "a jump out of SSL_read, bare" 0 $?
	traced jump "$work/jump" "$port"
	expect "a jump out of SSL_read" 0 $?
	expect "the exchange after it: the call is seen" "3 /after" "$(flat "$spans" |
		jq -r 'select(.kind == 3 and (.a["error.type"] | not)) | "\(.kind) \((.a["url.path"] // .a["url.full"]) | sub("^http://[^/]*"; ""))"' | sort | xargs)"
else
	echo "left out: no libssl to build with"
fi
finish
