#!/bin/sh
# sizes.sh [ROOT]: a .c file has at most 600 lines (400 wished), a header 180, a function 60 (40 wished).
# Warns at the wish, fails at the limit.
cd "${1:-.}" || exit 2
find preload hooks exporter -name '*.[ch]' | sort | xargs awk '
function say(level, text) { printf "%s: %s\n", level, text; if (level == "error") failed = 1 }
function close_file() {
	limit = file ~ /\.h$/ ? 180 : 600
	if (lines > limit) say("error", file ": " lines " lines, at most " limit)
	else if (file ~ /\.c$/ && lines > 400) say("note", file ": " lines " lines, 400 wished")
}
FNR == 1 { if (file) close_file(); file = FILENAME; inside = 0 }
{ lines = FNR }
/^[a-zA-Z_].*\)$/ || /^[ \t]+.*\)$/ { if (!inside) head = $0 }
/^{$/ { inside = 1; start = FNR }
/^}$/ && inside {
	size = FNR - start - 1
	if (size > 60) say("error", file ":" start ": function of " size " lines, at most 60")
	inside = 0
}
END { close_file(); exit failed }'
