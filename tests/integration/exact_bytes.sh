#!/usr/bin/env bash
# exact_bytes.sh: conversations cut at every position, by every call that sends: the peer has the original bytes and our line
# where one is due, the caller was told what the kernel says, and reading returns what it returns without us.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/exact/rig.sh"
# The rig itself: nothing preloaded, nothing added; and it notices when what should be added is not.
play "" bare "$work/log.rig" || bad "the rig, bare"
"$work/exact" traced "$work/log.none" "$rig/conversations/get" >"$work/none" && bad "the rig does not miss our line"

play "" reads "$work/log.bare" >/dev/null
play "$lib" traced "$work/log.traced" || bad "over the kernel as it is"
cmp "$work/log.bare" "$work/log.traced" || bad "reading is not the same"
[ "$(wc -l <"$work/log.traced")" -gt 10000 ] || bad "the log of reads is too short to say anything"
finish
