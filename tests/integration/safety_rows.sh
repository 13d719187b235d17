#!/usr/bin/env bash
# safety_rows.sh: the table of design.md section 7, row by row, as far as no other test has it; tests/README.md says where the
# others are.
. "$(dirname "$0")/lib.sh"
need gcc g++ jq readelf nm strace valgrind /usr/bin/python3
here=$top/tests/integration/snippets
gcc -D_GNU_SOURCE -O1 -w -rdynamic -o "$work/rows" "$here/safety_rows.c" -lpthread -ldl || exit 1
gcc -D_GNU_SOURCE -O1 -w -fno-plt -Wl,-z,now -o "$work/rows-noplt" "$here/safety_rows.c" -lpthread -ldl || exit 1
gcc -D_GNU_SOURCE -O1 -w -shared -fPIC -o "$work/early.so" "$here/safety_early.c" || exit 1
gcc -D_GNU_SOURCE -O1 -w -o "$work/seccomp" "$here/safety_seccomp.c" || exit 1
g++ -D_GNU_SOURCE -O1 -w -o "$work/throw" "$here/safety_throw.cc" -lpthread || exit 1

# both NAME COMMAND...: the same status and output bare and preloaded; leaves the spans.
both() {
	local name=$1
	shift
	: >"$spans"
	timeout -k 1 30 "$@" >"$work/bare" 2>&1
	local bare=$?
	traced rows timeout -k 1 30 "$@" >"$work/with" 2>&1
	expect "$name: status" "$bare" $?
	cmp -s "$work/bare" "$work/with" || bad "$name: output" "$(diff "$work/bare" "$work/with" | head -n 20)"
}
kinds() { flat "$spans" | jq -r .kind | sort | uniq -c | xargs; }
no_errors() { expect "$1: no error" "" "$(flat "$spans" | jq -r '.a["error.type"] // empty, (select(.code == 2) | "status")')"; }

# --- 1 024-entry fd tables
both "high fd" "$work/rows" high-fd 100000
head -n 1 "$work/with"
expect "high fd: seen" "2 2 2 3" "$(kinds)"
# --- GOT patching that misses -fno-plt and dlopened users
both "-fno-plt" "$work/rows-noplt" plain 3
expect "-fno-plt: seen" "3 2 3 3" "$(kinds)"
both "dlopen" "$work/rows" library "$work/early.so"
expect "dlopen: seen" "1 2 1 3" "$(kinds)"
# --- MSG_PEEK, sendfile, splice, EAGAIN
both "peek" "$work/rows" peek
expect "peek: counted once" "5 2 5 3" "$(kinds)"
both "sendfile" "$work/rows" sendfile
expect "sendfile: all six" "6 2 6 3" "$(kinds)"
both "splice" "$work/rows" sendfile spliced
expect "splice: all six" "6 2 6 3" "$(kinds)"
both "EAGAIN, EINPROGRESS" "$work/rows" again
expect "EAGAIN: seen" "1 2 1 3" "$(kinds)"
no_errors "EAGAIN"
# --- spans queued before fork
: >"$spans"
traced forks OTEL_BSP_SCHEDULE_DELAY=60000 "$work/rows" forks >/dev/null
expect "fork: each once" "12 12" "$(count_spans) $(flat "$spans" | jq -r .span | sort -u | wc -l)"
# --- what belongs to the process: dispositions, masks, limits, descriptors
both "state" "$work/rows" state
# --- no thread before the first span; none that keeps the process; no idle wake-ups
: >"$spans"
traced idle "$work/rows" idle >"$work/idle"
expect "idle" "threads before the first span: 1, of ours: none|threads: 2|wake-ups in 2 s: 0|done" "$(paste -sd'|' "$work/idle")"
both "main leaves first" "$work/rows" leave
expect "main leaves first: seen" "1 2 1 3" "$(kinds)"
both "main leaves last" "$work/rows" leave joined
expect "main leaves last: seen" "1 2 1 3" "$(kinds)"
# --- memory under a dead collector
dead=http://127.0.0.1:$(free_port)
grown() { grep -o 'KiB: .*' | cut -d' ' -f2; }
bare=$("$work/rows" memory 100000 | grown)
with=$(LD_PRELOAD=$lib OTEL_EXPORTER_OTLP_ENDPOINT=$dead OTEL_LOG_LEVEL=none "$work/rows" memory 100000 | grown)
[ -n "$with" ] && [ "$((with - bare))" -le 8192 ] || bad "200000 spans and a dead collector: grown by $with KiB, bare $bare"
echo "200000 spans and a dead collector: grown by $with KiB, bare $bare"
# --- no heap in the request path: 1 000 requests ask no more of it than 10
gcc -D_GNU_SOURCE -O1 -w -shared -fPIC -o "$work/malloc.so" "$here/safety_malloc.c" || exit 1
asked() { LD_PRELOAD=$1 OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$spans "$work/rows" plain "$2" 2>&1 >/dev/null | sed -n 's/^asked //p'; }
few=$(asked "$lib $work/malloc.so" 10) many=$(asked "$lib $work/malloc.so" 1000)
expect "heap calls of the host's thread for 990 requests more" 0 "$((many - few))"
[ "$few" -gt 0 ] || bad "nothing was counted"
# --- a collector that hangs: the end waits for it, but not for ever; and not at all where there is nothing to say
/usr/bin/python3 -c 'import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9); print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    while data := c.recv(65536):
        sys.stdout.write("request\n" * data.count(b"POST /v1/traces")); sys.stdout.flush()' >"$work/hung" &
pids+=($!)
until [ -s "$work/hung" ]; do sleep 0.05; done
hung() { # exit timeout, command...
	LD_PRELOAD=$lib OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$(head -n 1 "$work/hung") OTEL_EXPORTER_OTLP_TIMEOUT=0 OTEL_BSP_EXPORT_TIMEOUT=0 \
		OTEL_METRICS_EXPORTER=none OTEL_LOG_LEVEL=none TAGALONG_EXIT_TIMEOUT=$1 timeout -s KILL 60 "${@:2}" >/dev/null
}
hung 1000 "$work/rows" plain 3
expect "a hung collector: the end comes, and has asked" "0 request" "$? $(sed 1d "$work/hung")"
hung 1000000 /bin/true
expect "a hung collector and nothing to say: no wait" 0 $?
# --- ends: exit codes and signals
for end in 'exit 0' 'exit 1' 'exit 77' 'exit 255' 'kill -TERM $$' 'kill -SEGV $$' 'kill -KILL $$' 'kill -ABRT $$' 'kill -PIPE $$' 'exec false' \
	'exec /usr/bin/python3 -c "import os; os.abort()"'; do
	bare=$(bash -c "$end" >/dev/null 2>&1; echo $?)
	with=$(traced ends bash -c "$end" >/dev/null 2>&1; echo $?)
	expect "$end" "$bare" "$with"
done
both "uncaught" /usr/bin/python3 -c 'raise SystemExit(9)'
# --- start-up: instructions, nothing read from /proc, no thread
count() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | grep -a Collected | awk '{print $NF}'; }
bare=$(count /bin/true)
with=$(LD_PRELOAD=$lib count /bin/true)
[ $((with - bare)) -gt 1000 ] && [ $((with - bare)) -le 400000 ] || bad "start-up: $bare instructions bare, $with preloaded"
echo "start-up and end of /bin/true: $((with - bare)) instructions more than $bare"
strace -f -E LD_PRELOAD="$lib" -o "$work/strace" /bin/true
expect "start-up: no thread, nothing of /proc opened" "" "$(grep -E 'clone|open(at)?\(.*"/proc' "$work/strace")"
# --- exports, libraries, thread-local memory
expect "only libc is needed" "libc.so.6" "$(readelf -d "$lib" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -v '^ld-linux')"
tls=$((16#$(readelf -lW "$lib" | awk '$1 == "TLS" {print substr($6, 3)}')))
[ "$tls" -gt 0 ] && [ "$tls" -le 512 ] || bad "static TLS: $tls bytes"
readelf -dW "$lib" | grep -q STATIC_TLS || bad "its thread-local memory is not static"
names() { nm -D --defined-only "$1" | awk '{print $3}' | sed 's/@.*//' | LC_ALL=C sort -u; }
foreign=$(LC_ALL=C comm -23 <(names "$build/libtagalong.so") <(names "$(ldd "$build/libtagalong.so" | awk '$1 == "libc.so.6" {print $3}')"))
[ "$(names "$build/libtagalong.so" | wc -l)" -gt 200 ] && [ -n "$foreign" ] || bad "hardly any names are read"
expect "it exports names of libc only, and of the libraries that it hooks" "" "$(grep -vE '^((SSL|BIO|gnutls|curl|sqlite3|mysql|mariadb|uv|evhttp|g|apr|lo|(__)?io_uring)_|SQL[A-Z]|PQ[a-z]|(__)?redis[A-Z])' <<<"$foreign")"
both "symbols" "$work/rows" symbols
expect "symbols: seen" "20 2 20 3" "$(kinds)"
# --- twice in the list, two copies in one process, another preloaded library in front and behind
cp "$lib" "$work/libtagalong-copy.so"
mkdir "$work/other" && cp "$lib" "$work/other/libtagalong.so"
for preload in "$lib $lib" "$lib:$lib" "$lib $work/libtagalong-copy.so" "$work/libtagalong-copy.so $lib" "$work/other/libtagalong.so $lib"; do
	: >"$spans"
	LD_PRELOAD=$preload OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$spans "$work/rows" plain 3 >/dev/null || bad "two copies: $preload"
	expect "two copies: each span once" "3 2 3 3" "$(kinds)"
done
for preload in "$lib $work/early.so" "$work/early.so $lib"; do
	: >"$spans"
	SAFETY_EARLY=1 LD_PRELOAD=$preload OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$spans "$work/rows" plain 3 >"$work/with" 2>&1
	expect "sockets in a constructor and a destructor" "0 done" "$? $(cat "$work/with")"
	expect "and the program's own are seen" "3 2 3 3" "$(flat "$spans" | jq -r 'select((.a["url.path"] // .a["url.full"]) | endswith("/plain")) | .kind' | sort | uniq -c | xargs)"
done
# --- sandboxes: what was queued is out before the door closes, and nothing of ours is killed, or kills, behind it
for case in strict filter tsync; do
	for us in 0 0 0 45000 55000 65000 200000; do
		both "seccomp $case after $us us" "$work/seccomp" $case $us
		expect "seccomp $case after $us us: what was before" "20 2 20 3" "$(kinds)"
	done
done
both "under a filter that refuses our calls" "$work/seccomp" under "$work/rows" plain 20
# --- exceptions and unwinding through frames of ours
both "exceptions" "$work/throw"
expect "exceptions: seen" "1 2 1 3" "$(kinds)"
finish
