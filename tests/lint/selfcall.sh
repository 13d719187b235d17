#!/bin/sh
# selfcall.sh OBJECT...: objects of preload/, hooks/protocols/ and exporter/ must not call a function that we export: it
# would be traced as the host's. The real ones are reached through REAL(), hook_resolve() or sys.h.
# tests/lint/selfcall.allow lists exceptions, each with its reason: "object symbol reason".
names=$(mktemp)
trap 'rm -f "$names"' EXIT
awk -f tests/lint/exports.awk hooks/*.c | LC_ALL=C sort >"$names"
failed=0
for object in "$@"; do
	# Not nm: of an object that can be linked both ways it shows what the compiler noted, without its builtins (execv).
	for symbol in $(readelf -sW "$object" | awk '$7 == "UND" {sub(/@.*/, "", $8); print $8}' | LC_ALL=C sort -u | LC_ALL=C comm -12 - "$names"); do
		base=$(basename "$object")
		grep -q "^$base $symbol " tests/lint/selfcall.allow 2>/dev/null && continue
		echo "selfcall: $object calls $symbol, which is ours"
		failed=1
	done
done
exit $failed
