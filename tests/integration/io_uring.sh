#!/usr/bin/env bash
# Bytes that go through io_uring are not seen. What is seen of such a connection must not be taken for something else: no answer
# is filed under another request's, no header goes where it does not belong, the program's bytes are as without us.
. "$(dirname "$0")/lib.sh"
need gcc jq /usr/bin/python3
server=$work/uring_server
gcc -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$server" "$top/tests/integration/snippets/uring_server.c" -luring 2>"$work/gcc.log" ||
	skip "no liburing to build a server with: $(head -n 1 "$work/gcc.log")"
cat >"$work/probe.c" <<'EOF'
#include <liburing.h>
#include <stdio.h>
#include <string.h>
int main(void) { struct io_uring ring; int refused = io_uring_queue_init(8, &ring, 0); if (refused) puts(strerror(-refused)); return 0; }
EOF
gcc -o "$work/probe" "$work/probe.c" -luring || exit 1
refused=$("$work/probe")
[ -z "$refused" ] || skip "the kernel allows no io_uring: $refused"

# asks PORT: two connections of eight requests, one after the other, each with a trace of its own; prints what came back.
asks() {
	/usr/bin/python3 - "$1" <<'EOF'
import socket, sys
for connection in range(2):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as s:
        for n in range(8):
            status = 210 + connection * 10 + n
            s.sendall(b"GET /s/%d HTTP/1.1\r\nHost: here\r\ntraceparent: 00-%032x-%016x-01\r\n\r\n" % (status, status, status))
            got = b""
            while not got.endswith(b">"):
                more = s.recv(4096)
                if not more:
                    sys.exit("ended after %r" % got)
                got += more
            print(got)
EOF
}
# run PATTERN bare|with: what the client got, and what the server behind got.
run() {
	local port back
	port=$(free_port) back=$(free_port)
	"$server" "$back" llll log >"$work/$2.back" 2>>"$work/$2.err" &
	pids+=($!)
	wait_port "$back" || exit 1
	if [ "$2" = bare ]; then
		"$server" "$port" "$1" "$back" >/dev/null 2>>"$work/$2.err" &
		pids+=($!)
	else
		start_traced uring env OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/metrics.jsonl" OTEL_METRIC_EXPORT_INTERVAL=100 \
			"$server" "$port" "$1" "$back"
	fi
	wait_port "$port" || exit 1
	asks "$port" >"$work/$2.front" 2>&1
	stop_last # it returns from main: nothing is lost
	stop_last
}

# l is libc, u is io_uring: request, answer, call, its answer.
for pattern in llll uuuu lull ulll lluu llul lllu luuu ulul lull,llll llll,lull llll,ulll llul,llll llll,lllu llll,uuuu,llll \
	llll,llul,llll lull,ulll lluu,llll,lllu,llll; do
	: >"$spans"
	rm -f "$work"/*.front "$work"/*.back "$work"/*.err "$work/uring.log"
	run "$pattern" bare
	run "$pattern" with
	expect "$pattern: what the client got" "$(cat "$work/bare.front")" "$(cat "$work/with.front")"
	expect "$pattern: and the server behind, but for the header" "$(cat "$work/bare.back")" "$(grep -v ^traceparent: "$work/with.back")"
	expect "$pattern: nothing went wrong in there" "" "$(cat "$work"/*.err "$work/uring.log")"
	# The header comes right behind a request line, once.
	expect "$pattern: headers where they belong" "" \
		"$(awk '/^traceparent:/ && !(last ~ /^Host:/ && before ~ /^GET/) {print NR ": " $0} {before = last; last = $0}' "$work/with.back")"
	flat "$spans" >"$work/flat"
	/usr/bin/python3 - "$work/flat" "$work/with.back" <<'EOF' >"$work/wrong"
import json, re, sys
spans = [json.loads(line) for line in open(sys.argv[1])]
by_id = {s["span"]: s for s in spans}
def number(s):
    return (s["a"].get("url.path") or s["a"].get("url.full") or "").rsplit("/", 1)[-1]
for s in spans:
    n, status = number(s), s["a"].get("http.response.status_code")
    if status is not None and str(status) != n:
        print("kind %d of %s has the answer %s" % (s["kind"], n, status))
    if s["kind"] == 2 and s["trace"] != "%032x" % int(n):
        print("request %s is in trace %s" % (n, s["trace"]))
    above = by_id.get(s["parent"])
    if s["kind"] == 3 and above and number(above) != n:
        print("call %s is a child of %s" % (n, number(above)))
asked = None
for line in open(sys.argv[2]):
    if line.startswith("GET "):
        asked = line.split()[1].rsplit("/", 1)[-1]
    sent = re.match(r"traceparent: 00-(\w+)-(\w+)-", line)
    if sent and (sent[2] not in by_id or number(by_id[sent[2]]) != asked):
        print("what was sent with %s is no span of it" % asked)
EOF
	expect "$pattern: no span is another's" "" "$(cat "$work/wrong")"
	[ -n "${VERBOSE:-}" ] && echo "$pattern: $(jq -r '"\(.kind)"' "$work/flat" | sort | uniq -c | tr '\n' ' ')"
	[ "$pattern" = llll ] && expect "all through libc: every request and every call" "32 0" "$(wc -l <"$work/flat") $(jq -r 'select(.a["http.response.status_code"] == null) | .name' "$work/flat" | wc -l)"
done
finish
