#!/bin/bash
# `tagalong view` as a program: files, standard input, exit status, what goes where.
set -u
BUILD=$(realpath "${BUILD:-build}")
tagalong=$BUILD/tagalong
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset NO_COLOR
failures=0

same() { # what, expected, found
	if [ "$2" != "$3" ]; then
		printf 'FAILED %s\n--- expected:\n%s\n--- found:\n%s\n' "$1" "$2" "$3"
		failures=$((failures + 1))
	fi
}
contains() {
	case $3 in
	*"$2"*) ;;
	*) same "$1" "...$2..." "$3" ;;
	esac
}
view() { "$tagalong" view "$@" > out 2> err; echo $?; }

span() { # trace, id, parent, service, from ms, to ms, name, path, status, code
	printf '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"%s"}}]},"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","parentSpanId":"%016x","startTimeUnixNano":"%d000000","endTimeUnixNano":"%d000000","name":"%s","kind":2,"attributes":[{"key":"url.path","value":{"stringValue":"%s"}},{"key":"http.response.status_code","value":{"intValue":"%s"}}],"status":{"code":%d}}]}]}]}\n' \
		"$4" "$1" "$2" "$3" "$5" "$6" "$7" "$8" "$9" "${10}"
}
span 1 1 0 front 1700000000000 1700000000100 GET / 200 0 > a.jsonl
span 2 1 0 front 1700000001000 1700000001400 GET /slow 500 2 >> a.jsonl
span 1 3 2 back 1700000000020 1700000000060 GET /b/2 200 0 > b.jsonl
span 1 2 1 middle 1700000000010 1700000000080 GET /b 200 0 >> b.jsonl

same "exit status" 0 "$(view a.jsonl b.jsonl)"
same "the trees of two files" "trace 00000000000000000000000000000001  2023-11-14 22:13:20.000Z  100 ms  3 spans
  services: front, middle, back
  GET / 200                                               front    100 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━
  └─ GET /b 200                                           middle  70.0 ms    ╺━━━━━━━━━━━━━━━━━
     └─ GET /b/2 200                                      back    40.0 ms       ━━━━━━━━━━

trace 00000000000000000000000000000002  2023-11-14 22:13:21.000Z  400 ms  1 span  1 error
  services: front
! GET /slow 500                                            front   400 ms  ━━━━━━━━━━━━━━━━━━━━━━━━━" "$(cat out)"
same "nothing to complain about" "" "$(cat err)"
same "standard input" 0 "$(cat a.jsonl b.jsonl | view -)"
contains "standard input, tree" "└─ GET /b 200" "$(cat out)"
same "--errors" 0 "$(view --errors a.jsonl b.jsonl)"
same "--errors shows one" "trace 00000000000000000000000000000002" "$(grep -o '^trace [0-9a-f]*' out)"
view --slowest 1 a.jsonl b.jsonl > /dev/null
same "--slowest 1" "trace 00000000000000000000000000000002" "$(grep -o '^trace [0-9a-f]*' out)"
view --service back a.jsonl b.jsonl > /dev/null
same "--service" "trace 00000000000000000000000000000001" "$(grep -o '^trace [0-9a-f]*' out)"
view --trace 00000000000000000000000000000002 a.jsonl > /dev/null
same "--trace" "1" "$(grep -c '^trace' out)"
view --limit 1 a.jsonl > /dev/null
same "--limit" "1" "$(grep -c '^trace' out)"
same "--ascii" 0 "$(view --ascii a.jsonl b.jsonl)"
same "--ascii is ASCII" 0 "$(LC_ALL=C grep -c '[^ -~]' out)"
printf '%s\n' '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000003","spanId":"0000000000000001","name":"A","kind":3,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000500000000","events":[{"timeUnixNano":"1699999999997000000","name":"connect.end"},{"timeUnixNano":"1700000000250000000","name":"first\u001b[31m"},{"timeUnixNano":"soon","name":"never"},7]},{"traceId":"00000000000000000000000000000003","spanId":"0000000000000002","parentSpanId":"0000000000000001","name":"B","kind":2,"startTimeUnixNano":"1700000000100000000","endTimeUnixNano":"1700000000200000000","events":[{"timeUnixNano":"1700000000100000000"}]}]}]}]}' >events.jsonl
same "--events" 0 "$(view --events events.jsonl)"
same "--events shows them below their span" "  │  · connect.end -3.00 ms|  │  · first\x1b[31m +250 ms|        · (no name) +0 ns" "$(grep -F '· ' out | paste -sd'|')"
printf '%s\n' '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000003","spanId":"0000000000000001","name":"A","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000500000000","attributes":[{"key":"tagalong.repeated_queries","value":{"arrayValue":{"values":[{"stringValue":"SELECT a x 12"},{"stringValue":"SELECT \u001b[31m x 10"},{"intValue":"7"},3]}}}]},{"traceId":"00000000000000000000000000000003","spanId":"0000000000000002","parentSpanId":"0000000000000001","name":"SELECT a","kind":3,"startTimeUnixNano":"1700000000100000000","endTimeUnixNano":"1700000000200000000","attributes":[{"key":"db.query.summary","value":{"stringValue":"SELECT a"}},{"key":"db.query.text","value":{"stringValue":"select * from a"}}]}]}]}]}' >repeated.jsonl
same "a statement often repeated" 0 "$(view repeated.jsonl)"
same "is told below the request" "  │  · repeated: SELECT a x 12|  │  · repeated: SELECT \x1b[31m x 10|  │  · repeated: 7" "$(grep -F '· ' out | paste -sd'|')"
printf '%s\n' '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000004","spanId":"0000000000000001","name":"A","kind":3,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000500000000","links":[{"traceId":"000000000000000000000000000000aa","spanId":"0000000000000001"},{"spanId":"2"},7,{"traceId":"\u001b[31m"}]}]}]}]}' >links.jsonl
same "a span that goes back to another trace" 0 "$(view links.jsonl)"
same "and to which" "     · follows trace 000000000000000000000000000000aa|     · follows trace \x1b[31m" "$(grep -F '· ' out | paste -sd'|')"
view repeated.jsonl >/dev/null
grep -q '→ SELECT a select \* from a' out || bad "a query's summary is its name, and its text follows it: $(cat out)"
view events.jsonl >/dev/null
same "and nobody else asks for them" 0 "$(grep -c '· ' out)"
contains "no such trace" "no trace is like that" "$("$tagalong" view --trace ff a.jsonl 2>&1)"
same "a missing parent" 0 "$(view b.jsonl)"
contains "a missing parent is said" "(parent 0000000000000001 not in the file)" "$(cat out)"

# --- bad input
{ echo 'not json'; cat a.jsonl; echo '{"resourceMetrics":[]}'; head -c 60 b.jsonl; } > bad.jsonl
same "damaged lines, exit status" 1 "$(view bad.jsonl)"
contains "the line and what was expected" "bad.jsonl:1: expected a line of JSON, found " "$(cat err)"
contains "a foreign signal" "bad.jsonl:4: expected an object with resourceSpans (OTLP traces), found resourceMetrics" "$(cat err)"
contains "a cut last line" "bad.jsonl:5: expected " "$(cat err)"
same "good lines are shown" 2 "$(grep -c '^trace' out)"
cat a.jsonl a.jsonl > twice.jsonl
view twice.jsonl > /dev/null
contains "duplicates" "twice.jsonl:3: span id 0000000000000001 was there before in this trace" "$(cat err)"
yes 'foreign' | head -1000 > foreign
same "a foreign file" 1 "$(view foreign)"
same "complaints are limited" 22 "$(wc -l < err)"
contains "and counted" "and 980 more" "$(cat err)"
head -c 3000000 /dev/urandom > noise
same "binary noise" 1 "$(view noise)"
same "no control characters in complaints" 0 "$(LC_ALL=C grep -c $'[\x01-\x1f\x7f]' err)"
: > empty
same "an empty file" 0 "$(view empty)"
same "a missing file" 2 "$(view none.jsonl)"
contains "a missing file, message" "tagalong: cannot read none.jsonl: No such file" "$(cat err)"
same "a missing file beside a good one" 2 "$(view none.jsonl a.jsonl)"
same "the good one is shown" 2 "$(grep -c '^trace' out)"
same "a directory" 2 "$(view .)"
for wrong in "--slowest 0" "--slowest x" "--limit -1" "--trace xyz" "--color sometimes" "--bogus"; do
	# shellcheck disable=SC2086
	same "view $wrong" 2 "$(view $wrong a.jsonl)"
done
same "no file" 2 "$(view)"

# --- large: 20 MB in one line, and a deep chain
python3 - > large.jsonl <<'EOF'
import json
spans = [{"traceId": "%032x" % 5, "spanId": "%016x" % (i + 1), "parentSpanId": "%016x" % i, "name": "n" * 40,
          "startTimeUnixNano": str(10**18 + i), "endTimeUnixNano": str(10**18 + 200000)} for i in range(100000)]
print(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
EOF
same "a line of 20 MB" 0 "$(view large.jsonl)"
same "all of it is shown" 100000 "$(grep -c nnnn out)"

# --- a terminal
terminal() { script -qec "stty cols 80; $1" /dev/null < /dev/null; }
if command -v script > /dev/null; then
	contains "colour on a terminal" $'\033[31m' "$(TERM=xterm terminal "$tagalong view a.jsonl")"
	same "NO_COLOR" 0 "$(NO_COLOR=1 TERM=xterm terminal "$tagalong view a.jsonl" | grep -c $'\033')"
	same "the terminal's width" 0 "$(NO_COLOR=1 TERM=xterm terminal "$tagalong view --ascii a.jsonl b.jsonl" | tr -d '\r' | grep -v '^trace' | grep -c '.\{81\}')"
fi
same "no colour in a pipe" 0 "$("$tagalong" view a.jsonl | grep -c $'\033')"
same "colour when asked for" 1 "$("$tagalong" view --color always a.jsonl | grep -c $'\033\[31m!')"
if [ -c /dev/full ]; then
	"$tagalong" view a.jsonl > /dev/full 2> err
	same "a full disk is noticed" 2 $?
fi

[ $failures = 0 ] && echo "cli_view: ok"
exit $((failures > 0))
