#!/bin/bash
# Programs that start programs: every way, with the environment kept, cleared and rebuilt.
. "$(dirname "$0")/lib.sh"
need jq gcc
here=$top/tests/integration/snippets
for name in launch shell_rules; do
	gcc -D_GNU_SOURCE -O1 -o "$work/$name" "$here/$name.c" -lpthread || exit 1
done
trace=0af7651916cd43dd8448eb211c80319c
export TRACEPARENT=00-$trace-b7ad6b7169203331-01

methods="execve execv execvp execvpe execl execle execlp fexecve execveat posix_spawn posix_spawnp system popen fork _Fork vfork"
for method in $methods; do
	for environment in kept cleared rebuilt; do
		extra=- && [ $environment = rebuilt ] && extra=x
		found=$(traced launch "$work/launch" "$method" $environment 2>&1)
		expect "$method, $environment: status" 42 $?
		expect "$method, $environment: one context, one library, settings" "1 1 1 00-$trace $extra" "$found"
	done
done

# Bare, the same programs see what they were given, and nothing more.
expect "bare, cleared" "0 0 0 - -" "$("$work/launch" execve cleared)"

# --- system and popen keep all their promises
bare=$("$work/shell_rules" 2>&1)
expect "shell rules" "$bare" "$(traced shell "$work/shell_rules" 2>&1)"

# --- a process that is started is the child of the one that starts it
: >"$spans"
unset TRACEPARENT
traced shell TAGALONG_PROCESS_SPANS=true bash -c '/bin/true; (/bin/false); sh -c "exit 4"; exec /bin/ls /' >/dev/null 2>&1
expect "exec passes its status on" 0 $?
tree=$(flat "$spans" | jq -rs '. as $all | map(. as $s | [.name, ([$all[] | select(.span == $s.parent) | .name] | first // "-"),
	(.a["process.exit.code"] // "-"), (.a["error.type"] // "-"), .code, .kind] | map(tostring) | join(" ")) | sort | .[]')
sh=$(basename "$(readlink -f /bin/sh)")
expect "a script is a tree" "$(printf '%s\n' "bash - - - 0 1" "false bash 1 1 2 1" "$sh bash 4 4 2 1" "ls bash 0 - 0 1" "true bash 0 - 0 1" | sort)" "$tree"
expect "one trace" 1 "$(flat "$spans" | jq -r .trace | sort -u | wc -l)"

# --- endings: what was queued is out, the status is the program's own
ends='
import os, sys, ctypes
how = sys.argv[1]
libc = ctypes.CDLL(None)
if how == "_exit": os._exit(7)
if how == "exit": libc.exit(7)
if how == "quick_exit": libc.quick_exit(7)
if how == "syscall": libc.syscall(231, 7)
if how == "return": sys.exit(7)
if how == "failed_exec":
    try: os.execv("/no/such/program", ["x"])
    except OSError: sys.exit(7)
'
gcc -w -o "$work/by_name" -x c - <<'C' || exit 1
#include <unistd.h>
int main() { execlp("no-such-program", "x", (char *)0); return 7; }
C
: >"$spans"
traced ends TAGALONG_PROCESS_SPANS=true "$work/by_name"
expect "an exec by name that fails: exported with its code" 7 "$(flat "$spans" | jq -r '.a["process.exit.code"]')"
for how in _exit exit quick_exit syscall return failed_exec; do
	: >"$spans"
	traced ends TAGALONG_PROCESS_SPANS=true /usr/bin/python3 -c "$ends" $how
	expect "$how: status" 7 $?
	expect "$how: exported with its code" 7 "$(flat "$spans" | jq -r '.a["process.exit.code"]')"
done
: >"$spans"
traced ends TAGALONG_PROCESS_SPANS=true sh -c 'kill -9 $$' 2>/dev/null
expect "a signal's end has no span" "137 0" "$? $(count_spans)"
finish
