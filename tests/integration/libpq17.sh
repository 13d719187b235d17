#!/usr/bin/env bash
# libpq of 17 and later, which Debian 12 has not: the copy that a wheel of psycopg brings along. Results in chunks, closing of
# statements and portals, from C and by psycopg itself; a span for each statement that the server's log has.
. "$(dirname "$0")/lib.sh"
wheel=$build/libpq17 python=/usr/bin/python3
$python -m pip --version >/dev/null 2>&1 || skip "pip is not installed"
. "$top/tests/integration/snippets/postgres/server.sh"
if ! ls "$wheel"/psycopg_binary.libs/libpq-*.so.5.* >/dev/null 2>&1; then
	$python -m pip download -q --disable-pip-version-check --only-binary=:all: --timeout 15 --retries 0 \
		-d "$work/wheel" "psycopg[binary]>=3.2,<4" >"$work/pip.log" 2>&1 ||
		skip "the package index has no wheel with libpq for us: $(tail -n 1 "$work/pip.log")"
	mkdir -p "$wheel"
	for one in "$work"/wheel/*.whl; do $python -m zipfile -e "$one" "$wheel" || exit 1; done
fi
pq=$(echo "$wheel"/psycopg_binary.libs/libpq-*.so.5.*)
[ -f "$pq" ] || skip "that wheel has no libpq"
nm -D "$pq" | grep -q PQsetChunkedRowsMode || skip "that wheel's libpq is older than 17"

cc=(gcc -O1 -w -I/usr/include/postgresql)
"${cc[@]}" -o "$work/main" "$here/pq_17.c" "$pq" -Wl,-rpath,"${pq%/*}" 2>"$work/gcc.log" ||
	skip "no libpq headers to build with: $(head -n 1 "$work/gcc.log")"
"${cc[@]}" -DEARLY -shared -fPIC -o "$work/early.so" "$here/pq_17.c" "$pq" -Wl,-rpath,"${pq%/*}" &&
	"${cc[@]}" -DMAIN -o "$work/early" "$here/pq_17.c" -L"$work" -l:early.so "$pq" -Wl,-rpath,"$work:${pq%/*}" || bad "the clients do not build"
# early: older than us, so that the spans are the library's and not the wire's.
for way in tcp unix tls early; do
	how="host=127.0.0.1 sslmode=disable gssencmode=disable" program=main
	case $way in unix) how="host=$work" ;; tls) how="host=127.0.0.1 sslmode=require" ;; early) program=early ;; esac
	client "c_$way" "$work/$program" "$how"
	expect "c_$way: it is that library" 1 "$(head -n 1 "$work/c_$way.out")"
	expect "c_$way: errors" "22012 x2, 26000 x1, 34000 x1, 57P01 x1" "$(errors "c_$way")"
	expect "c_$way: rows" "c1 10, c2 8, p1 6" "$(jq -r 'select(.a["db.query.text"] // "" | test("c1|c2|p1")) |
		"\(.a["db.query.text"] | capture("AS (?<n>..)").n) \(.a["db.response.returned_rows"])"' "$work/c_$way.flat" | paste -sd, | sed 's/,/, /g')"
	# Whether a close was passed over is not followed: the third p2 has no text.
	expect "c_$way: statements by their text, of one name the one that it had then" "s1 1, s2 1, p1 1, p2 2" "$(jq -r 'select(.a["db.query.text"] // "" | test("AS [sp][12]$")) |
		.a["db.query.text"] | capture("AS (?<n>..)").n' "$work/c_$way.flat" | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $2, $1 }')"
	[ $way = early ] || expect "c_$way: rows of what was dropped" 9000 "$(jq -r 'select(.a["db.query.text"] // "" | test("c6")) | .a["db.response.returned_rows"]' "$work/c_$way.flat")"
	expect "c_$way: what was closed has none" 1 "$(count "c_$way" '.a["error.type"] == "26000" and .a["db.query.text"] == null')"
done
for mode in disable require; do
	client "psycopg_$mode" env PYTHONPATH="$wheel" $python "$here/postgres/psycopg_17_client.py" sslmode=$mode
	expect "psycopg $mode: it is that one" "binary True" "$(head -n 1 "$work/psycopg_$mode.out")"
	expect "psycopg $mode: errors" "22012 x1" "$(errors "psycopg_$mode")"
	expect "psycopg $mode: rows in chunks" 25 "$(jq -r 'select(.a["db.query.text"] // "" | test("chunked")) | .a["db.response.returned_rows"]' "$work/psycopg_$mode.flat")"
	expect "psycopg $mode: each by its text" "24 12" "$(count "psycopg_$mode" '.a["db.query.text"] // "" | test("closed$")') $(count "psycopg_$mode" '.a["db.query.text"] // "" | test("piped$")')"
	[ $mode = require ] || continue
	client "psycopg_all_$mode" env PYTHONPATH="$wheel" $python "$here/postgres/psycopg_client.py" sslmode=$mode
	expect "psycopg $mode: errors of all the rest" "22012 x1, 23505 x2, 57014 x1" "$(errors "psycopg_all_$mode")"
done
finish
