#!/bin/bash
# What a program does to descriptors works as ever, and does not take ours away.
. "$(dirname "$0")/lib.sh"
need jq gcc
gcc -D_GNU_SOURCE -O1 -o "$work/descriptors" "$top/tests/integration/snippets/descriptors.c" -lpthread || exit 1
ulimit -n 16000 2>/dev/null || skip "no 16000 descriptors here"

"$work/descriptors" /spans.jsonl bare >"$work/bare"
grep -v ": yes" "$work/bare" && bad "bare"
traced descriptors timeout 30 "$work/descriptors" /spans.jsonl >"$work/facts"
expect "status" 0 $?
grep -v ": yes" "$work/facts" && bad "preloaded"
expect "all of the bare facts, and more" 29 "$(wc -l <"$work/facts")"
for path in /before /moved /after; do
	expect "$path: both sides exported" 2 "$(flat "$spans" | jq -r '.a["url.path"] // .a["url.full"]' | grep -c "$path")"
done
finish
