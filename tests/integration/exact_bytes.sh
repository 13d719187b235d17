#!/usr/bin/env bash
# exact_bytes.sh: conversations cut at every position, by every call that sends, over a kernel that refuses, interrupts and
# takes less: the peer has the original bytes and our line where one is due, the caller was told what a kernel might say, and
# reading returns what it returns without us.
. "$(dirname "$0")/lib.sh"
need gcc
rig=$top/tests/integration/exact
gcc -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -o "$work/exact" "$rig"/*.c -lpthread -ldl || exit 1
gcc -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -shared -fPIC -o "$work/fault.so" "$top/tests/support/fault.c" -ldl || exit 1
conversations=("$rig"/conversations/*)

play() { # preload mode log
	LD_PRELOAD=$1 OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$work/spans.jsonl OTEL_METRICS_EXPORTER=none OTEL_LOG_LEVEL=error \
		"$work/exact" "$2" "$3" "${conversations[@]}"
}
# The rig itself: nothing preloaded, nothing added; and it notices when what should be added is not.
play "" bare "$work/log.rig" || bad "the rig, bare"
"$work/exact" traced "$work/log.none" "$rig/conversations/get" >"$work/none" && bad "the rig does not miss our line"

play "" reads "$work/log.bare" >/dev/null
play "$lib" traced "$work/log.traced" || bad "over the kernel as it is"
cmp "$work/log.bare" "$work/log.traced" || bad "reading is not the same"
play "$work/fault.so" reads "$work/log.bare-bad" >/dev/null
play "$lib $work/fault.so" traced "$work/log.traced-bad" || bad "over a bad kernel"
cmp "$work/log.bare-bad" "$work/log.traced-bad" || bad "reading over a bad kernel is not the same"
[ "$(wc -l <"$work/log.traced-bad")" -gt 10000 ] || bad "the log of reads is too short to say anything"
# A write cut off inside our line while another thread reads an answer on the same connection.
gcc -D_GNU_SOURCE -O1 -w -o "$work/duplex" "$top/tests/integration/snippets/duplex.c" -lpthread || exit 1
cuts=0
for pad in $(seq 0 5 100); do
	LD_PRELOAD=$lib OTEL_TRACES_EXPORTER=none timeout 20 "$work/duplex" "$pad" >"$work/duplex.out" || bad "duplex: $(cat "$work/duplex.out")"
	grep -q "cut off" "$work/duplex.out" && cuts=$((cuts + 1))
done
[ "$cuts" -gt 10 ] || bad "only $cuts of 21 runs had a write cut off"
finish
