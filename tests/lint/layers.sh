#!/bin/sh
# layers.sh [ROOT]: a file knows its room and what it may touch. Prints each include that breaks the rule.
#   preload/          -> preload/           (init.c also: hooks/registry.h, exporter/exporter.h)
#   hooks/            -> hooks/ preload/
#   hooks/protocols/  -> hooks/protocols/ and preload/{bytes,attrs,protocol}.h
#   exporter/         -> exporter/ preload/ proto/   (exporter/cli/ -> exporter/cli/, preload/config.*)
#   demo/             -> nothing of ours
cd "${1:-.}" || exit 2
find preload hooks exporter demo -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
function bad() { printf "%s:%d: %s may not include %s\n", FILENAME, FNR, room, inc; failed = 1 }
FNR == 1 {
	room = FILENAME ~ /^hooks\/protocols\// ? "hooks/protocols" : FILENAME ~ /^exporter\/cli\// ? "exporter/cli" : FILENAME
	sub(/\/[^\/]*$/, "", room)
	if (FILENAME ~ /^hooks\/protocols\//) room = "hooks/protocols"
	if (FILENAME ~ /^exporter\/cli\//) room = "exporter/cli"
}
/^#include "/ {
	inc = $2; gsub(/"/, "", inc)
	if (room == "preload") {
		if (inc ~ /^preload\//) next
		if (FILENAME == "preload/init.c" && (inc == "hooks/registry.h" || inc == "exporter/exporter.h")) next
		bad()
	} else if (room == "hooks") {
		if (inc !~ /^(hooks|preload)\//) bad()
	} else if (room == "hooks/protocols") {
		if (inc !~ /^hooks\/protocols\// && inc !~ /^preload\/(bytes|attrs|protocol)\.h$/) bad()
	} else if (room == "exporter") {
		if (inc !~ /^(exporter|preload|proto)\// || inc ~ /^exporter\/cli\//) bad()
	} else if (room == "exporter/cli") {
		if (inc !~ /^exporter\/cli\// && inc !~ /^preload\/(config\.(h|def)|bytes\.h)$/) bad()
	} else if (inc ~ /\//) bad() # the demo: headers of its own folder only
}
END { exit failed }'
