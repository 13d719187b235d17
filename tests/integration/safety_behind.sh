#!/usr/bin/env bash
# What a process does behind our back, or may do only while it has one thread, goes as without us.
. "$(dirname "$0")/lib.sh"
need gcc jq nginx curl
gcc -D_GNU_SOURCE -O1 -w -o "$work/behind" "$top/tests/integration/snippets/behind.c" || exit 1
port=$(free_port)
nginx_conf "$work/web" "$port"
background nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1

# both NAME COMMAND...: the same status and output; the spans' paths in order
both() {
	local name=$1 bare with
	shift
	: >"$spans"
	timeout 20 "$@" >"$work/bare" 2>&1; bare=$?
	traced behind timeout 20 "$@" >"$work/with" 2>&1; with=$?
	expect "$name: status" "$bare" "$with"
	cmp -s "$work/bare" "$work/with" || bad "$name: output: $(diff "$work/bare" "$work/with")"
}
paths() { flat "$spans" | jq -r '.a["url.full"] | sub("http://[^/]*"; "")' | sort | xargs; }
both "closed by a bare system call" "$work/behind" "$port" closed
expect "closed by a bare system call: seen" "/again /kept" "$(paths)"
grep -q "the same number: 1" "$work/bare" || bad "the number did not come back"
both "closed by an instruction" "$work/behind" "$port" assembly
both "a child by bare clone" "$work/behind" "$port" forked
expect "a child by bare clone: each call once" "/child /parent" "$(paths)"
expect "a child by bare clone: ids of its own" 2 "$(flat "$spans" | jq -r .trace | sort -u | wc -l)"
both "unshare" "$work/behind" "$port" alone
expect "unshare: before and after" "/after /before" "$(paths)"
both "a filter that kills" "$work/behind" "$port" killed curl -s "http://127.0.0.1:$port/1k"
expect "a filter that kills: seen all the same" "/1k" "$(paths)"
# Rationed address space: the host has its share.
for limit in 16000 24000 48000 64000; do
	bare=$(ulimit -v $limit; /bin/cat /proc/self/status | awk '/VmSize/ {print $2}')
	with=$(ulimit -v $limit; LD_PRELOAD=$lib OTEL_TRACES_EXPORTER=none /bin/cat /proc/self/status | awk '/VmSize/ {print $2}')
	[ -n "$with" ] && [ $((with - bare)) -le $((2500 + limit / 10)) ] || bad "of $limit KiB: $bare bare, $with preloaded"
done
finish
