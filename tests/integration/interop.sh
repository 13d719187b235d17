#!/usr/bin/env bash
# 10 000 random sets of fields over HTTP/2 and TLS, from a client on libcurl and from one on nghttp2 to a server on nghttp2, on connections whose HPACK tables
# live through thousands of edits: the server read every field as it was sent, and exactly one of ours.
. "$(dirname "$0")/lib.sh"
need gcc openssl
here=$top/tests/integration/snippets
gcc -O1 -Wall -Wextra -Werror -o "$work/server" "$here/interop_server.c" -lnghttp2 -lssl &&
	gcc -O1 -Wall -Wextra -Werror -o "$work/nghttp2" "$here/interop_nghttp2.c" -lnghttp2 -lssl &&
	gcc -O1 -Wall -Wextra -Werror -o "$work/client" "$here/interop_client.c" -lcurl || skip "no libnghttp2, libssl or libcurl to build with"
count=10000
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=IP:127.0.0.1" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"

mkfifo "$work/hold"
for way in bare traced; do
	front=() wished="$count 0"
	[ $way = traced ] && front=(traced interop) wished="$count $count"
	: >"$work/port"
	${front[@]+"${front[@]}"} "$work/server" "$work/both.pem" <"$work/hold" >"$work/port" &
	pids+=($!)
	exec 9>"$work/hold"
	for _ in $(seq 600); do [ -s "$work/port" ] && break; sleep 0.05; done
	expect "$way: fields as they were sent, and ours" "$wished" \
		"$(${front[@]+"${front[@]}"} "$work/client" "$(cat "$work/port")" $count "$work/cert.pem")"
	expect "$way, a client on nghttp2" "$wished" "$(${front[@]+"${front[@]}"} "$work/nghttp2" "$(cat "$work/port")" $count)"
	exec 9>&-
	wait "${pids[-1]}"
done
wait_spans $((4 * count))
expect "spans" $((4 * count)) "$(count_spans)"
finish
