#!/usr/bin/env bash
# exact_refusals.sh: the conversations of exact_bytes.sh over a kernel that refuses, interrupts and takes less at every call: the
# peer still has the original bytes and our line, the caller was told what a kernel might say, and reading is the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/exact/rig.sh"
gcc -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -shared -fPIC -o "$work/fault.so" "$top/tests/support/fault.c" -ldl || exit 1

play "$work/fault.so" reads "$work/log.bare" >/dev/null
play "$lib $work/fault.so" traced "$work/log.traced" || bad "over a bad kernel"
cmp "$work/log.bare" "$work/log.traced" || bad "reading over a bad kernel is not the same"
[ "$(wc -l <"$work/log.traced")" -gt 10000 ] || bad "the log of reads is too short to say anything"
# A write cut off inside our line while another thread reads an answer on the same connection.
gcc -D_GNU_SOURCE -O1 -w -o "$work/duplex" "$top/tests/integration/snippets/duplex.c" -lpthread || exit 1
cuts=0
for pad in $(seq 0 5 100); do
	LD_PRELOAD=$lib OTEL_TRACES_EXPORTER=none timeout 60 "$work/duplex" "$pad" >"$work/duplex.out" || bad "duplex: $(cat "$work/duplex.out")"
	grep -q "cut off" "$work/duplex.out" && cuts=$((cuts + 1))
done
[ "$cuts" -gt 10 ] || bad "only $cuts of 21 runs had a write cut off"
finish
