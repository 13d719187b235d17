#!/usr/bin/env bash
# Programs that read and write a TLS session through its BIO only: BIO_new_ssl_connect, BIO_new_buffer_ssl_connect, BIO_new_ssl
# and BIO_f_ssl; blocking and not, with a buffer in front and without; and openssl(1), which does so in s_server and ocsp.
. "$(dirname "$0")/lib.sh"
need gcc jq openssl curl /usr/bin/python3
here=$top/tests/integration/snippets
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$work/bio" "$here/tls_bio.c" -lssl -lcrypto || skip "no libssl to build with"

# Spans: client's, server's, server's that are children of a client's.
pairs() {
	flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
		| "\(map(select(.kind == 3)) | length) \(map(select(.kind == 2)) | length) "
		+ "\(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | length)"'
}
expect "every form, bare" "432 0 whole" "$("$work/bio" "$work/both.pem" exact 2>&1)"
expect "every form, traced" "432 432 whole" "$(traced exact "$work/bio" "$work/both.pem" exact 2>&1)"
expect "a span on each side of each request" "432 432 432" "$(pairs)"

# --- over sockets
: >"$spans"
start_traced server "$work/bio" "$work/both.pem" serve 5
for _ in $(seq 200); do grep -q '^port ' "$work/server.log" && break; sleep 0.05; done
port=$(sed -n 's/^port //p' "$work/server.log")
for how in plain buffer waits again; do
	traced client timeout 20 "$work/bio" "$work/both.pem" get "$port" $how || bad "$how: exit status $?"
done
[ "$failures" = 0 ] && { wait "${pids[-1]}" || bad "the server: exit status $?"; }
wait_spans 10
expect "five calls, each in its pair" "5 5 5" "$(pairs)"
expect "a header in each" "5 5" "$(grep -c '^GET /' "$work/server.log") $(grep -c '^traceparent: 00-' "$work/server.log")"
# (Where the first write makes the connection, it is too early for them.)
expect "addresses of the sockets underneath" "again 127.0.0.1 $port; buffer 127.0.0.1 $port; waits 127.0.0.1 $port" \
	"$(flat "$spans" | jq -rs --arg port "$port" 'map(select(.kind == 3 and .a["network.peer.port"])) | map("\(.a["url.full"] | sub(".*/"; "")) \(.a["network.peer.address"]) \(.a["network.peer.port"])") | sort | join("; ")')"

# --- what fails
: >"$spans"
free=$(free_port)
traced client timeout 20 "$work/bio" "$work/both.pem" get "$free" buffer 2>/dev/null
expect "refused: exit status" 3 $?
background /usr/bin/python3 -m http.server -b 127.0.0.1 "$free"
wait_port "$free"
traced client timeout 20 "$work/bio" "$work/both.pem" get "$free" buffer 2>/dev/null
expect "no TLS: exit status" 3 $?
stop_last
expect "one failed call each" "connection_refused tls_handshake_failed" "$(flat "$spans" | jq -rs 'map(.a["error.type"]) | join(" ")')"

# --- openssl(1): s_server -WWW reads and answers through a buffer in front of the session, ocsp asks through a session's BIO
: >"$spans"
front=$(free_port)
(cd "$work" && echo hello >hello.txt)
start_traced front sh -c "cd '$work' && exec openssl s_server -quiet -WWW -port $front -cert cert.pem -key key.pem"
wait_port "$front"
expect "s_server: served" hello "$(traced curl curl -m 20 -sS --cacert "$work/cert.pem" "https://localhost:$front/hello.txt")"
wait_spans 2
expect "curl and s_server" "1 1 1" "$(pairs)"
stop_last
: >"$spans"
there=$(free_port)
start_traced there /usr/bin/python3 "$here/matrix/server.py" "$there" "$work/both.pem"
wait_port "$there"
traced ocsp timeout 20 openssl ocsp -issuer "$work/cert.pem" -cert "$work/cert.pem" -noverify -url "https://localhost:$there/ocsp" >/dev/null 2>&1
wait_spans 2
expect "ocsp and python" "1 1 1 POST 501" "$(pairs) $(flat "$spans" | jq -r 'select(.kind == 3) | "\(.a["http.request.method"]) \(.a["http.response.status_code"])"')"
finish
