#!/usr/bin/env bash
# Threads that open, use, duplicate, close and reuse descriptors at once: each exchange has its two spans, joined by the
# header, and no CLIENT span a parent that is none. Runs under the sanitizers too.
. "$(dirname "$0")/lib.sh"
need gcc jq
gcc -D_GNU_SOURCE -O1 -w -o "$work/threads" "$top/tests/integration/snippets/threads.c" -lpthread || exit 1
timeout 60 "$work/threads" 8 100 >"$work/bare"
expect "bare" "2400 whole" "$(cat "$work/bare")"
traced threads OTEL_BSP_MAX_QUEUE_SIZE=16384 timeout 100 "$work/threads" 8 100 >"$work/with"
expect "preloaded" "0 2400 whole" "$? $(cat "$work/with")"
flat "$spans" >"$work/flat"
expect "two spans for each" "2400 2 2400 3" "$(jq -r .kind "$work/flat" | sort | uniq -c | xargs)"
expect "each CLIENT span a root: nobody asked for it" 2400 "$(jq -r 'select(.kind == 3 and .parent == "") | .span' "$work/flat" | sort -u | wc -l)"
jq -rs '[.[] | select(.kind == 3) | {key: .span, value: (.a["url.full"] | sub("http://a"; ""))}] as $calls
	| ($calls | from_entries) as $path
	| .[] | select(.kind == 2) | select($path[.parent] != .a["url.path"]) | "\(.a["url.path"]) under \($path[.parent])"' "$work/flat" >"$work/wrong"
expect "each SERVER span under the call that it answered" "" "$(cat "$work/wrong")"
finish
