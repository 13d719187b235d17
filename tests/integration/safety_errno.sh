#!/usr/bin/env bash
# safety_errno.sh: two thousand calls, most of them wrong (bad pointers, holes in memory, huge lengths, fd -1, closed and foreign
# descriptors, bad flags): result and errno of each must be those of the bare program.
. "$(dirname "$0")/lib.sh"
need gcc
gcc -D_GNU_SOURCE -O1 -w -o "$work/safety_errno" "$top/tests/integration/snippets/safety_errno.c" || exit 1
"$work/safety_errno" >"$work/bare" || bad "bare"
"$work/safety_errno" >"$work/again"
cmp -s "$work/bare" "$work/again" || bad "the bare program does not say the same twice"
traced errno "$work/safety_errno" >"$work/traced" || bad "preloaded: status $?"
diff "$work/bare" "$work/traced" | head -40
cmp -s "$work/bare" "$work/traced" || bad "answers differ"
env LD_PRELOAD="$lib" TAGALONG_DISABLED=true "$work/safety_errno" >"$work/disabled" || bad "switched off: status $?"
cmp -s "$work/bare" "$work/disabled" || bad "answers differ when switched off"
[ "$(wc -l <"$work/bare")" -gt 1900 ] || bad "only $(wc -l <"$work/bare") calls"
echo "$(wc -l <"$work/bare") calls answered alike"
finish
