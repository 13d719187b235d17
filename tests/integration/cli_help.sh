#!/bin/bash
# Help and man page say what the program and its table of settings say. With --update the man page's list of
# variables is written anew (make readme); with --page only that list is looked at (make lint).
set -u
root=$(realpath "$(dirname "$0")/../..")
BUILD=$(realpath -m "${BUILD:-build}")
tagalong=$BUILD/tagalong
page=$root/exporter/cli/tagalong.1
failures=0

fail() {
	printf 'FAILED %s\n' "$1"
	failures=$((failures + 1))
}

# "VARIABLE|default|help" for each row of the table, read from the text and not through the program.
rows() {
	sed -nE 's/^SETTING\([a-z0-9_]+, [A-Z]+, "([^"]*)", "([^"]*)", "([^"]*)"\)$/\1\x1f\2\x1f\3/p' "$root/preload/config.def"
}
settings() {
	rows | while IFS=$'\x1f' read -r variable rest; do
		fallback=${rest%%$'\x1f'*}
		fallback=${fallback%%|*}
		[ -n "$fallback" ] && fallback=" Default: $fallback."
		text="${rest#*$'\x1f'}.$fallback"
		text=${text//\\/\\\\}
		printf '.TP\n.B %s\n%s\n' "$variable" "${text//-/\\-}"
	done
}

if [ "${1:-}" = --update ]; then
	settings > "$page.new"
	sed -i -e "/^\.\\\\\" BEGIN SETTINGS/,/^\.\\\\\" END SETTINGS/{/SETTINGS/!d}" -e "/^\.\\\\\" BEGIN SETTINGS/r $page.new" "$page"
	rm -f "$page.new"
fi

[ "$(rows | wc -l)" = "$(grep -c '^SETTING(' "$root/preload/config.def")" ] || fail "a row of config.def is not understood here"
[ "$(rows | wc -l)" -gt 50 ] || fail "config.def has hardly any rows"
found=$(sed -n '/BEGIN SETTINGS/,/END SETTINGS/p' "$page" | grep -v SETTINGS)
[ "$found" = "$(settings)" ] || fail "the man page's variables differ from config.def: run make readme"

[ "${1:-}" = --page ] || [ "${1:-}" = --update ] && exit $((failures > 0))

"$tagalong" help env > /tmp/cli_help.$$ || fail "help env: exit status"
rows | while IFS=$'\x1f' read -r variable rest; do
	grep -qx "$variable" /tmp/cli_help.$$ || echo "FAILED help env does not name $variable"
	grep -qF -- "${rest#*$'\x1f'}" /tmp/cli_help.$$ || echo "FAILED help env does not explain $variable"
done > /tmp/cli_help.$$.missing
cat /tmp/cli_help.$$.missing
[ -s /tmp/cli_help.$$.missing ] && failures=$((failures + 1))
rm -f /tmp/cli_help.$$ /tmp/cli_help.$$.missing

# Every option of a verb's help is in the man page, and the other way round.
for verb in run view; do
	section=$(tr '[:lower:]' '[:upper:]' <<< $verb)
	helped=$("$tagalong" $verb --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort)
	paged=$(sed -n "/^\.SH $section\$/,/^\.SH /p" "$page" | sed 's/\\-/-/g' | grep -A1 '^\.TP' | grep -oE -- '--[a-z-]+' | sort)
	[ "$helped" = "$paged" ] || fail "options of $verb: help and man page differ: $(diff <(echo "$helped") <(echo "$paged") | tr '\n' ' ')"
	for option in $helped; do
		"$tagalong" $verb "$option" < /dev/null 2>&1 | grep -q 'unknown option' && fail "$verb does not know $option"
	done
done

[ "$("$tagalong" --version | wc -l)" = 1 ] || fail "--version"
"$tagalong" --version | grep -qE '^tagalong [0-9]+\.[0-9]+' || fail "--version names no version"
for good in "help" "help run" "help view" "help check" "help help" "--help" "-h" "check --help" "view -h"; do
	# shellcheck disable=SC2086
	"$tagalong" $good 2> /dev/null | grep -q '^usage: tagalong' || fail "tagalong $good shows no usage"
done
for bad in "" "frob" "--frob" "help frob" "run --frob" "view --frob x" "check --frob"; do
	# shellcheck disable=SC2086
	"$tagalong" $bad > /dev/null 2>&1
	[ $? = 2 ] || fail "tagalong $bad: exit status is not 2"
done
[ -z "$("$tagalong" frob 2> /dev/null)" ] || fail "a mistake is answered on standard output"
if command -v man > /dev/null; then
	LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null | grep . && fail "the man page has mistakes"
fi

[ $failures = 0 ] && echo "cli_help: ok"
exit $((failures > 0))
