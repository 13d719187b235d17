#!/usr/bin/env bash
# Servers that do all through liburing: what is read of it is right or is not read, and the bytes are as without us. Where
# completions come only when they are asked for nothing is missed: a span for each request, under any load.
. "$(dirname "$0")/lib.sh"
need gcc jq /usr/bin/python3
compile() { # program options...
	local program=$1
	shift
	gcc -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -Werror -Wno-format-truncation -I "$top/tests/causality/servers" "$@" -o "$work/$program" \
		-x c - -luring <<<'#include "uring.h"' 2>"$work/gcc.log" || skip "no liburing to build a server with: $(head -n 1 "$work/gcc.log")"
}
everything='-DMULTISHOT -DHEADERS_APART -DRELEASE -DSCRIBBLE'
compile deferred $everything -DQUIET_FIRST
compile pool $everything -DPOOL
compile timed $everything -DPOOL -DTIMED
compile at_once $everything -DPOOL -DFLAGS=0
compile polled $everything -DPOOL -DFLAGS=IORING_SETUP_SQPOLL
compile provided $everything -DPROVIDED
compile alike $everything -DALIKE
gcc -O1 -D_GNU_SOURCE -o "$work/downstream" "$top/tests/causality/downstream.c" || exit 1

# 64 connections: request after request, cut in two or two at a time now and then, each in a trace of its own.
cat >"$work/ask.py" <<'EOF'
import asyncio, random, sys
port, first, each, calls = map(int, sys.argv[1:])
async def one(connection):
    choice = random.Random(connection)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ids = list(range(first + connection * each, first + (connection + 1) * each))
    while ids:
        now = [ids.pop(0)]
        if len(ids) > 1 and choice.random() < 0.1:
            now.append(ids.pop(0))
        closes = "" if ids else "Connection: close\r\n"
        text = "".join("GET /r/%d/%d HTTP/1.1\r\nHost: here\r\ntraceparent: 00-%032x-%016x-01\r\n%s\r\n" % (
            n, calls, n, n, closes if n == now[-1] else "") for n in now).encode()
        cut = choice.randrange(1, len(text)) if choice.random() < 0.2 else len(text)
        writer.write(text[:cut])
        if cut < len(text):
            await asyncio.sleep(0.003)
            writer.write(text[cut:])
        for n in now:
            body = "done %d\n" % n
            last = not ids and n == now[-1]
            want = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), "Connection: close\r\n" if last else "", body)).encode()
            got = await asyncio.wait_for(reader.readexactly(len(want)), 30)
            if got != want:
                print("%d: %r" % (n, got))
    if await asyncio.wait_for(reader.read(), 30):
        print("something behind the end")
    writer.close()
async def main():
    await asyncio.gather(*(one(c) for c in range(64)))
asyncio.run(main())
EOF
# Prints what is wrong with the spans; last how many there are: whole SERVER spans, cut off ones, whole CLIENT spans, cut off.
cat >"$work/judge.py" <<'EOF'
import collections, json, sys
spans = [json.loads(line) for line in open(sys.argv[1])]
first, count = map(int, sys.argv[2:])
by_id = {s["span"]: s for s in spans}
kinds, seen = collections.Counter(), collections.Counter()
def url(s):
    return s["a"].get("url.path") or s["a"].get("url.full")
def number(s):
    return int(url(s).split("/%s/" % "rd"[s["kind"] == 3])[1].split("/")[0])
for s in spans:
    n, status = number(s), s["a"].get("http.response.status_code")
    kinds[s["kind"], status is not None] += 1
    seen[s["kind"], url(s)] += 1
    if not first <= n < first + count or status not in (None, "200", 200):
        print("there is no", s)
    if s["kind"] == 2 and (s["trace"] != "%032x" % n or s["parent"] != "%016x" % n):
        print("request %d is in trace %s" % (n, s["trace"]))
    above = by_id.get(s["parent"])
    if s["kind"] == 3 and (number(above) != n if above else s["parent"]):
        print("call %d is a child of %s" % (n, above))
for what, times in seen.items():
    if times > 1:
        print(what, "is there", times, "times")
print(kinds[2, True], kinds[2, False], kinds[3, True], kinds[3, False])
EOF
# run PROGRAM CALLS: into $kinds the judge's numbers; what is wrong fails.
run() {
	local port back server each=16
	[ "$2" = 0 ] || each=4
	port=$(free_port) back=$(free_port)
	: >"$spans"
	rm -f "$work"/{metrics.jsonl,seen,uring.log}
	"$work/downstream" "$back" "$work/seen" 3 &
	pids+=($!)
	wait_port "$back" || exit 1
	start_traced uring env OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/metrics.jsonl" OTEL_METRIC_EXPORT_INTERVAL=100 \
		"$work/$1" "$port" "$back"
	server=${pids[-1]}
	wait_port "$port" || { wait "$server"; [ $? = 77 ] && skip "the kernel allows no io_uring"; exit 1; }
	expect "$1: what the clients got" "" "$(/usr/bin/python3 "$work/ask.py" "$port" 100000 $each "$2" 2>&1)"
	stop_last
	stop_last # downstream's log is whole then
	flat "$spans" >"$work/flat"
	/usr/bin/python3 "$work/judge.py" "$work/flat" 100000 $((64 * each)) >"$work/judged" 2>&1
	kinds=$(tail -n 1 "$work/judged")
	expect "$1: nothing is said that is not so" "" "$(head -n -1 "$work/judged" | head -n 5)"
	expect "$1: no header is put in" "$((64 * each * $2))" "$(grep -c '^/d/[0-9]*/[0-9]* -$' "$work/seen")"
	expect "$1: nothing went wrong in there" "" "$(cat "$work/uring.log")"
	[ -z "${VERBOSE:-}" ] || echo "$1, $2 calls each: $kinds;" $(unfollowed)
}
unfollowed() { # what was counted: reason and number
	jq -rs '[.[].resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.uring.unfollowed") | .sum.dataPoints[]
		| {key: .attributes[0].value.stringValue, value: .asInt}] | from_entries | to_entries[]
		| select(.value != "0" and .value != 0) | "\(.key) \(.value)"' "$work/metrics.jsonl"
}

run deferred 0
expect "a span for each of 1024 requests over 64 connections" "1024 0 0 0" "$kinds"
expect "nothing of which is left out" "" "$(unfollowed)"
run pool 2
expect "and for each of the calls made for 256" "256 0 512 0" "$kinds"
run timed 1
expect "by waits with a timeout, and in batches, as well" "256 0 256 0" "$kinds"
# These overwrite at once what they have received, without asking.
run at_once 2
run polled 2
run provided 1
expect "buffers that the kernel chose are not looked for" "0 0 256 0" "$kinds"
expect "that is counted" kind "$(unfollowed | grep -o "^kind")"
run alike 0
expect "completions that may be of several operations are counted" alike "$(unfollowed | grep -o '^alike')"
finish
