#!/usr/bin/env bash
# safety_hostile.sh: design.md section 7, "hooks called ... in signal handlers, after our destructor, in a vfork child, in a
# cancelled thread, across longjmp". Each case bare and preloaded, with the same end; and an exchange afterwards is still seen.
. "$(dirname "$0")/lib.sh"
need gcc jq
gcc -D_GNU_SOURCE -O1 -w -o "$work/hostile" "$top/tests/integration/snippets/safety_hostile.c" -lpthread || exit 1
for case in storm storm-eintr storm-alternate jump-anywhere jump-recv cancel cancel-anywhere vfork end; do
	timeout 30 "$work/hostile" $case >"$work/bare" 2>&1
	expect "$case, bare" 0 $?
	: >"$spans"
	traced hostile timeout 30 "$work/hostile" $case >"$work/traced" 2>&1
	expect "$case, preloaded" 0 $?
	expect "$case: the same output" "$(cat "$work/bare")" "$(cat "$work/traced")"
	# A thread that is torn out of our own code between taking a place in the queue and filling it stops the export of what
	# comes behind it: the host is unharmed, which is what is asserted here; what comes after may not be seen.
	case $case in jump-anywhere | cancel-anywhere) ;; *)
		expect "$case: what comes after is seen from both sides" "2 3" \
			"$(flat "$spans" | jq -r 'select((.a["url.path"] // .a["url.full"] // "") | endswith("/after")) | .kind' | sort | xargs)"
	esac
	flat "$spans" | jq -r 'select(.a["error.type"] != null) | .a["error.type"]' | sort | uniq -c >"$work/errors"
	case $case in storm* | vfork | end) expect "$case: no span of an error" "" "$(cat "$work/errors")" ;; esac
	if [ $case = vfork ]; then expect "vfork: all exchanges seen, both sides" 16 "$(count_spans)"; fi
	if [ $case = storm ]; then [ "$(count_spans)" -ge 6002 ] || bad "storm: only $(count_spans) spans"; fi
done
finish
