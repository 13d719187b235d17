#!/usr/bin/env bash
# OpenSSL 1.1, which Debian 12 has no more: the copy that an older wheel of psycopg2-binary brings along (bound to itself, under
# names of its own). The programs of tls, tls_calls and tls_bio once more, linked with it; and both versions in one process.
. "$(dirname "$0")/lib.sh"
need gcc jq openssl /usr/bin/python3
here=$top/tests/integration/snippets wheel=$build/openssl11
/usr/bin/python3 -m pip --version >/dev/null 2>&1 || skip "pip is not installed"
if ! ls "$wheel"/psycopg2_binary.libs/libssl-*.so.1.1 >/dev/null 2>&1; then
	/usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --timeout 15 --retries 0 \
		-d "$work/wheel" psycopg2-binary==2.9.5 >"$work/pip.log" 2>&1 ||
		skip "the package index has no wheel with OpenSSL 1.1 for us: $(tail -n 1 "$work/pip.log")"
	mkdir -p "$wheel" && /usr/bin/python3 -m zipfile -e "$work"/wheel/*.whl "$wheel" || exit 1
fi
ssl=$(echo "$wheel"/psycopg2_binary.libs/libssl-*.so.1.1) crypto=$(echo "$wheel"/psycopg2_binary.libs/libcrypto-*.so.1.1)
[ -f "$ssl" ] && [ -f "$crypto" ] || skip "that wheel has no OpenSSL 1.1"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
# The headers of 3.x will do: what differs is not used.
for program in exact calls bio; do
	gcc -D_GNU_SOURCE -O1 -w -o "$work/$program" "$here/tls_$program.c" "$ssl" "$crypto" -Wl,-rpath,"${ssl%/*}" 2>"$work/gcc.log" ||
		skip "no libssl headers to build with: $(head -n 1 "$work/gcc.log")"
	expect "$program has 1.1 and nothing else" 1.1 "$(ldd "$work/$program" | sed -n 's/.*libssl[^ ]*\.so\.\([0-9.]*\) =>.*/\1/p')"
done

# Spans: client's, server's, server's that are children of a client's, errors.
pairs() {
	flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
		| "\(map(select(.kind == 3)) | length) \(map(select(.kind == 2)) | length) "
		+ "\(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | length) "
		+ (map(.a["error.type"] | select(.)) | join(","))' | sed 's/ $//'
}
expect "bytes, bare" "724 0" "$("$work/exact" "$work/both.pem" 2>&1)"
expect "bytes, traced" "724 724" "$(traced exact "$work/exact" "$work/both.pem" 2>&1)"
expect "spans" "724 724 724" "$(pairs | cut -d" " -f1-3)"
while read -r name heads ours wished; do
	expect "$name, bare" "$name: $heads 0 whole" "$("$work/calls" "$work/both.pem" "$name" 2>&1)"
	: >"$spans"
	expect "$name, traced" "$name: $heads $ours whole" "$(traced calls env TAGALONG_TLS_ATTRIBUTES=true "$work/calls" "$work/both.pem" "$name" 2>&1)"
	expect "$name: spans" "$wished" "$(pairs)"
	cp "$spans" "$work/$name.jsonl"
done <<-END
peek 2 2 2 2 2
dup_before 1 1 1 1 1
dup_after 2 2 2 2 2
clear 2 2 2 2 2
bio 1 1 1 1 1
early 2 2 2 2 2
early_rejected 2 2 3 2 2 early_data_rejected
early_full 2 1 2 2 1
END
expect "what TLS agreed on" "tls 1.3 TLS_AES_256_GCM_SHA384 true x3" "$(flat "$work/early.jsonl" |
	jq -r 'select(.a["tls.resumed"] != null) | "\(.a["tls.protocol.name"]) \(.a["tls.protocol.version"]) \(.a["tls.cipher"]) \(.a["tls.resumed"])"' |
	sort | uniq -c | awk '{ print $2, $3, $4, $5, "x" $1 }')"

# --- through BIOs
: >"$spans"
expect "BIOs, bare" "432 0 whole" "$("$work/bio" "$work/both.pem" exact 2>&1)"
expect "BIOs, traced" "432 432 whole" "$(traced exact "$work/bio" "$work/both.pem" exact 2>&1)"
expect "BIOs: spans" "432 432 432" "$(pairs)"
: >"$spans"
start_traced server "$work/bio" "$work/both.pem" serve 5
for _ in $(seq 200); do grep -q '^port ' "$work/server.log" && break; sleep 0.05; done
for how in plain buffer waits again; do
	traced client timeout 20 "$work/bio" "$work/both.pem" get "$(sed -n 's/^port //p' "$work/server.log")" $how || bad "$how: exit status $?"
done
wait_spans 10
expect "over sockets" "5 5 5 5" "$(grep -c '^traceparent: 00-' "$work/server.log") $(pairs)"
: >"$spans"
port=$(free_port)
background /usr/bin/python3 -m http.server -b 127.0.0.1 "$port"
wait_port "$port"
traced client timeout 20 "$work/bio" "$work/both.pem" get "$port" buffer 2>/dev/null
expect "no TLS: exit status" 3 $?
stop_last
expect "no TLS: a call that failed" "1 0 0 tls_handshake_failed" "$(pairs)"

# --- Python's own 3.x, and 1.1 beside it: each session goes to its own
: >"$spans"
there=$(free_port)
background /usr/bin/python3 "$here/matrix/server.py" "$there" "$work/both.pem"
wait_port "$there"
cat >"$work/both.py" <<-END
	import socket, ssl, sys, threading, urllib.request
	import psycopg2  # with it comes 1.1
	port, pem = sys.argv[1:]

	def refuse(listener):
	    one = listener.accept()[0]
	    one.recv(8)
	    one.sendall(b"S")
	    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
	    server.load_cert_chain(pem)
	    with server.wrap_socket(one, server_side=True) as session:
	        session.recv(1000)
	        fields = b"SFATAL\\0VFATAL\\0C57P03\\0Mnot now\\0\\0"
	        session.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

	def https():
	    return urllib.request.urlopen("https://localhost:" + port + "/both", context=ssl._create_unverified_context()).status

	listener = socket.create_server(("127.0.0.1", 0))
	threading.Thread(target=refuse, args=(listener,)).start()
	print(ssl.OPENSSL_VERSION.split(".")[0], https(), end=" ")
	try:
	    psycopg2.connect(host="127.0.0.1", port=listener.getsockname()[1], user="u", sslmode="require")
	except psycopg2.OperationalError as error:
	    print("not now" in str(error), end=" ")
	print(https(), sum("libssl" in line and "r-x" in line for line in open("/proc/self/maps")))
END
expect "both in one process, bare" "OpenSSL 3 200 True 200 2" "$(PYTHONPATH=$wheel /usr/bin/python3 "$work/both.py" "$there" "$work/both.pem" 2>&1)"
expect "both in one process, traced" "OpenSSL 3 200 True 200 2" "$(traced both env PYTHONPATH="$wheel" /usr/bin/python3 "$work/both.py" "$there" "$work/both.pem" 2>&1)"
expect "what each carried" "GET - GET - connect u 57P03" "$(flat "$spans" | jq -rs 'map(select(.kind == 3)) | sort_by(.name) |
	map("\(.name) \(.a["error.type"] // "-")") | join(" ")')"
expect "a header in each of the requests, and in no other" "- - 00 00" "$(sed -n 's|^/both \(..\?\).*|\1|p' "$work/background.log" | sort | xargs)"
finish
