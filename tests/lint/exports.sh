#!/bin/sh
# exports.sh LIBRARY: what the library exports is exactly what the hooks declare in their WRAP rows.
want=$(mktemp) have=$(mktemp)
trap 'rm -f "$want" "$have"' EXIT
awk -f tests/lint/exports.awk hooks/*.c | LC_ALL=C sort >"$want"
nm -D --defined-only "$1" | awk '{sub(/@.*/, "", $3); print $3}' | LC_ALL=C sort -u >"$have"
if ! diff "$want" "$have" >/dev/null; then
	echo "exports: the export list and the WRAP rows differ (< declared, > exported):"
	diff "$want" "$have"
	exit 1
fi
needed=$(readelf -d "$1" | awk '/NEEDED/ {gsub(/[][]/, "", $5); print $5}' | grep -vE '^(libc|libpthread|libdl|ld-linux-x86-64)\.so')
if [ -n "$needed" ]; then
	echo "exports: the library needs more than libc: $needed"
	exit 1
fi
