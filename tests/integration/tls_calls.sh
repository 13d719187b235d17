#!/usr/bin/env bash
# The rarer calls of TLS libraries: peeking, handles that are copied, cleared and used again, early data taken, refused and too
# much, sendfile, and all of GnuTLS's. Each conversation is the same as without us but for one header in each request.
. "$(dirname "$0")/lib.sh"
need gcc jq openssl
here=$top/tests/integration/snippets
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"

# One path of each span: client's, server's, whether the one is the other's parent.
pairs() {
	flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
		| "\(map(select(.kind == 3)) | length) \(map(select(.kind == 2)) | length) "
		+ "\(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | length) "
		+ (map(.a["error.type"] | select(.)) | join(","))'
}
if gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$work/calls" "$here/tls_calls.c" -lssl -lcrypto; then
	# name, heads that arrive, with ours; spans: client's, server's, pairs, errors
	while read -r name heads ours wished; do
		expect "$name, bare" "$name: $heads 0 whole" "$("$work/calls" "$work/both.pem" "$name" 2>&1)"
		: >"$spans"
		expect "$name, traced" "$name: $heads $ours whole" "$(traced calls env TAGALONG_TLS_ATTRIBUTES=true "$work/calls" "$work/both.pem" "$name" 2>&1)"
		expect "$name: spans" "$wished" "$(pairs | sed 's/ $//')"
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
	# The fourth is answered before the handshake is through.
	expect "what TLS agreed on" "tls 1.3 TLS_AES_256_GCM_SHA384 true x3" "$(flat "$work/early.jsonl" |
		jq -r 'select(.a["tls.resumed"] != null) | "\(.a["tls.protocol.name"]) \(.a["tls.protocol.version"]) \(.a["tls.cipher"]) \(.a["tls.resumed"])"' |
		sort | uniq -c | awk '{ print $2, $3, $4, $5, "x" $1 }')"
else
	echo "left out: no libssl to build with"
fi

# GnuTLS, by transport functions of the program's own: every call that sends or reads, over full pipes; early data.
if gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$work/gnutls" "$here/gnutls_exact.c" -lgnutls; then
	expect "GnuTLS, bare" "284 0 range 0 taken 0 refused 0 full 0" "$(echo $("$work/gnutls" "$work/both.pem" 2>&1))"
	: >"$spans"
	expect "GnuTLS, traced" "284 284 range 0 taken 2 refused 2 full 1" "$(echo $(traced gnutls env TAGALONG_TLS_ATTRIBUTES=true "$work/gnutls" "$work/both.pem" 2>&1))"
	flat "$spans" >"$work/gnutls.flat"
	expect "GnuTLS: what is sent in a range is seen at both ends" "2 3" "$(jq -rs 'map(select((.a["url.path"] // .a["url.full"]) | endswith("/range")) | .kind) | sort | join(" ")' "$work/gnutls.flat")"
	expect "GnuTLS: early data is told once (and again what was refused)" 7 "$(jq -r '.a["url.path"] // .a["url.full"]' "$work/gnutls.flat" | grep -c /1/early)"
	expect "GnuTLS: refused early data" early_data_rejected "$(jq -r 'select(.kind == 3) | .a["error.type"] | select(.)' "$work/gnutls.flat")"
	expect "GnuTLS: what was agreed on" "tls/1.2 tls/1.3" "$(jq -r 'select(.a["tls.cipher"] // "" | startswith("TLS_"))
		| "\(.a["tls.protocol.name"])/\(.a["tls.protocol.version"])"' "$work/gnutls.flat" | sort -u | paste -sd' ')"
	expect "GnuTLS: resumed" true "$(jq -rs 'map(select(.a["url.path"] == "/1/late")) | length == 3 and all(.a["tls.resumed"])' "$work/gnutls.flat")"
else
	echo "left out: no libgnutls to build with"
fi

# HTTP/2 byte by byte: every frame, every head, and in the end the decoder's table.
if gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$work/h2" "$here/h2_exact.c" -lnghttp2 -lssl -lcrypto; then
	expect "HTTP/2, bare" "938 0 802 0" "$("$work/h2" "$work/both.pem" 2>&1)"
	expect "HTTP/2 in the clear and inside TLS, traced" "938 938 802 802" "$(traced h2 "$work/h2" "$work/both.pem" 2>&1)"
else
	echo "left out: no libnghttp2 or libssl to build with"
fi

# What the installed library or the kernel has not: a library of its own, that never calls itself by name.
gcc -O1 -Wall -Wextra -shared -fPIC -Wl,-Bsymbolic -o "$work/libfake.so" "$here/tls_fake.c" &&
	gcc -DPROGRAM -O1 -Wall -Wextra -o "$work/fake" "$here/tls_fake.c" "-L$work" -lfake -Wl,-rpath,"$work" || exit 1
: >"$spans"
expect "early data, SSL_write_ex2, SSL_sendfile, bare" "0 4" "$("$work/fake" >"$work/bare" && echo $(grep -c ^traceparent "$work/bare"; grep -c HTTP/1.1 "$work/bare"))"
traced fake "$work/fake" >"$work/traced" || bad "the program with its own library: exit status $?"
expect "early data, SSL_write_ex2, SSL_sendfile: a header each" 4 "$(grep -c '^traceparent: 00-' "$work/traced")"
grep -v ^traceparent "$work/traced" | cmp - "$work/bare" || bad "and nothing else"
expect "spans of it" "4 4 4" "$(pairs | sed 's/ $//')"
finish
