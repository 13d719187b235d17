#!/bin/bash
# Activities go along with the threads, contexts and processes that a request makes, and die with it.
. "$(dirname "$0")/lib.sh"
need jq gcc
gcc -D_GNU_SOURCE -O1 -o "$work/carried" "$top/tests/integration/snippets/carried.c" -lpthread || exit 1

"$work/carried" || bad "the program fails bare"
traced carried timeout 30 "$work/carried"
expect "status" 0 $?
sleep 0.3

# The server's calls are told from its client's by their parent: a call's path, and the path of the span above.
pairs=$(flat "$spans" | jq -rs '. as $all | map(select(.kind == 3 and .a["url.full"] != null)) | map(. as $s |
	[(.a["url.full"] | sub("^[a-z]+://[^/]*"; "")), ([$all[] | select(.span == $s.parent and .kind == 2) | .a["url.path"]] | first // "-")]
	| join(" ")) | group_by(.) | map("\(length) \(.[0])") | .[]')
want() { grep -qx "$1" <<<"$pairs" || bad "no such call: $1"; }
want "1 /thread/1 /thread/1"
want "1 /thread/2 /thread/2"
want "1 /fork/1 /fork/1"
for i in 1 2 3; do want "1 /context/$i /context/$i"; done
# The pool's worker was born in a request, and waited: it has no evidence any more.
want "2 /pool/1 -"
want "2 /pool/2 -"
# What the scheduler asks is nobody's.
want "3 /nobody -"
stitched=$(awk '$3 != "-" && $2 != $3' <<<"$pairs")
expect "stitched" "" "$stitched"
[ "$failures" = 0 ] || printf '%s\n' "$pairs"
finish
