#!/usr/bin/env bash
# A guest leaves things as they were: signals, limits, threads, filters; two copies are one; a dead receiver costs bounded
# memory; a high descriptor is as good as a low one. Rows of the design's section 7.
. "$(dirname "$0")/lib.sh"
need nginx jq curl gcc musl-gcc

gcc -O1 -D_GNU_SOURCE -Wall -o "$work/guest" "$top/tests/integration/snippets/guest.c" || { bad "guest.c does not build"; finish; }
port=$(free_port)
nginx_conf "$work/web" "$port"
background nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1

# --- signal dispositions, masks, resource limits, and no thread before the first span
"$work/guest" state >"$work/bare"
traced guest "$work/guest" state >"$work/traced"
expect "signals, limits, threads" "" "$(diff "$work/bare" "$work/traced")"

# --- a program of another libc: its loader takes us in, and we do nothing there
musl-gcc -D_GNU_SOURCE -O1 -o "$work/foreign" "$top/tests/integration/snippets/foreign.c" || bad "foreign.c does not build"
"$work/foreign" >"$work/bare" 2>&1
expect "musl, bare: status" 6 $?
if [ -n "${SAN_RUNTIME:-}" ]; then
	echo "left out: musl behind a sanitized library, whose runtime needs glibc"
else
	traced guest "$work/foreign" >"$work/traced" 2>&1
	expect "musl: status" 6 $?
	expect "musl: output" "" "$(diff "$work/bare" "$work/traced")"
fi

# --- names that a library has which is not here are the plug-ins' own that bear them
for plugin in 1 2; do
	gcc -O1 -fPIC -shared -DPLUGIN=$plugin -o "$work/plugin$plugin.so" "$top/tests/integration/snippets/own_names.c" || bad "own_names.c does not build"
done
gcc -O1 -o "$work/own_names" "$top/tests/integration/snippets/own_names.c" -ldl || bad "own_names.c does not build"
"$work/own_names" "$work/plugin1.so" "$work/plugin2.so" >"$work/bare"
expect "names of their own, bare" "10001 11234 10056 20001 21234 20056" "$(xargs <"$work/bare")"
traced guest "$work/own_names" "$work/plugin1.so" "$work/plugin2.so" >"$work/traced"
expect "names of their own" "" "$(diff "$work/bare" "$work/traced")"

# --- a seccomp filter that would kill us for our own calls: what was recorded before is out, and the program ends as it would
out=$(traced guest timeout -s KILL 20 "$work/guest" seccomp "$port")
expect "under a filter: exit status" 7 $?
expect "under a filter: output" "answer: whole
alive" "$out"
expect "under a filter: the span of before" 1 "$(flat "$spans" | jq -c 'select(.kind == 3)' | wc -l)"

# --- two copies of the library, or the same one named twice, are one
cp "$lib" "$work/libtagalong.so"
echo_port=$(free_port)
/usr/bin/python3 - "$echo_port" "$work/heads" <<'PY' &
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
while True:
    c, _ = s.accept(); data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(65536)
        if not more: break
        data += more
    open(sys.argv[2], "ab").write(data)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); c.close()
PY
pids+=($!)
wait_port "$echo_port" || exit 1
for preload in "$lib $work/libtagalong.so" "$lib $lib" "$lib:$work/libtagalong.so"; do
	: >"$work/heads"; : >"$spans"
	traced twice env LD_PRELOAD="$preload" curl -s -o /dev/null "http://127.0.0.1:$echo_port/" || bad "curl failed with $preload"
	expect "one header with $preload" 1 "$(grep -aci '^traceparent:' "$work/heads")"
	expect "one span with $preload" 1 "$(count_spans)"
done

# --- a receiver that is not there: memory stays bounded, what does not fit is counted
back=$(free_port)
nginx_conf "$work/lost" "$back"
env LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_BSP_SCHEDULE_DELAY=200 nginx -p "$work/lost" -c nginx.conf \
	2>"$work/lost.err" &
pids+=($!)
wait_port "$back" || exit 1
rss() { awk '/^Rss:/ {s += $2} END {print s}' "/proc/$(pgrep -P "${pids[-1]}" | head -1)/smaps_rollup"; }
"$build/support/load" "$back" /1k 100 4 >/dev/null
before=$(rss)
"$build/support/load" "$back" /1k 60000 8 4 >/dev/null || bad "the server broke a connection"
grown=$(($(rss) - before))
[ "$grown" -lt 8192 ] || bad "60 000 requests without a receiver: $grown KiB more"
stop_last

# --- a program that may make no thread (HAProxy, unless told otherwise): said once, and the program goes on
install -m 755 "$build/libtagalong.so" "$work/"
unprivileged=() && [ "$(id -u)" = 0 ] && unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups)
"${unprivileged[@]}" bash -c 'ulimit -u 0; exec env LD_PRELOAD="$1" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$2" curl -s "$3" "$3" "$3"' bash \
	"${lib/"$build"/"$work"}" "$spans" "http://127.0.0.1:$port/1k" >"$work/threadless" 2>"$work/threadless.err"
expect "no thread: status, bytes" "0 3072" "$? $(wc -c <"$work/threadless")"
expect "no thread: said" "warn export: no thread can be made here (RLIMIT_NPROC?): nothing is exported" \
	"$(sed 's/^tagalong\[[0-9]*\] //' "$work/threadless.err")"

# --- a connection on the highest descriptor that the limit allows
: >"$spans"
limit=$(ulimit -Hn)
high=$((limit > 100001 ? 100000 : limit - 40))
high_port=$(free_port)
cat >"$work/high.py" <<'PY'
import os, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
while True:
    c, _ = s.accept()
    os.dup2(c.fileno(), int(sys.argv[2])); c.close()
    c = socket.socket(fileno=int(sys.argv[2])); c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"); c.close()
PY
start_traced high prlimit --nofile="$limit" /usr/bin/python3 "$work/high.py" "$high_port" "$high"
for _ in $(seq 600); do curl -s -o /dev/null "http://127.0.0.1:$high_port/deep" && break; sleep 0.05; done
wait_spans 1
expect "a request on descriptor $high" '"/deep"' "$(flat "$spans" | jq -c 'select(.service == "high" and .kind == 2) | .a["url.path"]' | head -1)"
stop_last
[ "$high" = 100000 ] || echo "(descriptor $high: the hard limit here allows no 100 000)"
finish
