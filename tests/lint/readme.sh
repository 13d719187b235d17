#!/bin/sh
# readme.sh [--update]: the README's table of settings is what preload/config.def says.
table=$(mktemp)
trap 'rm -f "$table" "$table.new"' EXIT
{
	echo '| variable | default | meaning |'
	echo '|---|---|---|'
	sed -n 's/^SETTING(\([a-z_]*\), *\([A-Z]*\), *"\([^"]*\)", *"\([^"]*\)", *"\([^"]*\)").*/\2\t\3\t\4\t\5/p' preload/config.def |
		awk -F'\t' '{d = $3; if ($1 == "CHOICE") sub(/\|.*/, "", d); gsub(/\|/, "\\|", d); gsub(/\|/, "\\|", $4)
			if (d == "") d = "-"; else d = "`" d "`"; printf "| `%s` | %s | %s |\n", $2, d, $4}'
} >"$table"
awk -v table="$table" '
/^<!-- settings:/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
/^<!-- settings end/ { skip = 0 }
!skip' README.md >"$table.new"
if [ "${1:-}" = --update ]; then
	cp "$table.new" README.md
elif ! diff README.md "$table.new" >/dev/null; then
	echo "readme: the table of settings differs from preload/config.def; run make readme"
	exit 1
fi
rows=$(grep -c '^SETTING(' preload/config.def)
[ "$(($(wc -l <"$table") - 2))" = "$rows" ] || { echo "readme: $rows settings, but not all could be read"; exit 1; }
# So is the table of what the accuracy rig found.
if [ "${1:-}" = --update ]; then
	tests/causality/table.py --update
else
	tests/causality/table.py --check || exit 1
fi
