#!/usr/bin/env bash
# A timer that a request made and started is the request's while that lives; then its calls are new traces with a link to it.
. "$(dirname "$0")/lib.sh"
need jq curl nginx gcc pkg-config
pkg-config --exists libuv || skip "libuv's headers are not installed"
gcc -D_GNU_SOURCE -O1 -Wall -o "$work/timers_uv" "$top/tests/integration/snippets/timers_uv.c" $(pkg-config --cflags --libs libuv) || exit 1
back=$(free_port)
nginx_conf "$work/back" "$back"
sed -i "s|location / { root html; }|location / { return 200 \"ok\"; }|" "$work/back/nginx.conf"
background nginx -p "$work/back" -c nginx.conf
wait_port "$back" || exit 1

ask() { curl -sS -o /dev/null --max-time 20 "http://127.0.0.1:$port$1" || bad "asking $1"; }
called() { # path times: until so many calls were exported
	for _ in $(seq 300); do
		[ "$(grep -o "http://[^\"]*$1\"" "$spans" | wc -l)" -ge "$2" ] && return
		sleep 0.05
	done
	bad "$1 was not called $2 times"
}
# "path, path of the span above or -, evidence, path of the span that it is linked to or -"
judge() {
	jq -c '.resourceSpans[].scopeSpans[].spans[] | {span: .spanId, parent: (.parentSpanId // ""), kind: .kind, trace: .traceId,
		links: (.links // []), a: ([.attributes[] | {key, value: (.value | .stringValue)}] | from_entries)}' "$spans" >"$work/flat"
	jq -rs '(map(select(.kind == 2) | {key: (.trace + .span), value: .a["url.path"]}) | from_entries) as $above
		| map(select(.kind == 3) | [(.a["url.full"] | sub("^[a-z]+://[^/]*"; "")), ($above[.trace + .parent] // "-"),
			.a["tagalong.parent.evidence"], ([.links[] | $above[.traceId + .spanId] // "?"] | join(",") | if . == "" then "-" else . end)]
			| join(" ")) | .[]' "$work/flat" | sort >"$work/calls"
}
start() { # environment...
	: >"$spans"
	port=$(free_port)
	start_traced timers env TAGALONG_EXPLAIN=true "$@" "$work/timers_uv" "$port" "$back"
	wait_port "$port" || exit 1
	called /tick 5 # before any request: nobody's
}

start TAGALONG_DISABLED=false
for i in 1 2 3; do
	ask "/alive/$i"
	ask "/ended/$i"
	called "/ended/$i" 1
	ask "/twice/$i"
	ask "/tick/$i"
	called /tick $((5 + 5 * i))
done
"$build/tagalong" view "$spans" >"$work/view"
# Two at once: neither takes the other's.
for i in $(seq 4 11); do
	ask "/alive/$i" &
	asked=$!
	ask "/ended/$i"
	wait "$asked"
	called "/alive/$i" 1
	called "/ended/$i" 1
done
stop_last
judge
for i in 1 2 3; do
	expect "/alive/$i" "/alive/$i /alive/$i handoff -" "$(grep "^/alive/$i " "$work/calls")"
	expect "/ended/$i" "/ended/$i - none /ended/$i" "$(grep "^/ended/$i " "$work/calls")"
	expect "/twice/$i, each time" "/twice/$i /twice/$i handoff -" "$(grep "^/twice/$i " "$work/calls" | uniq)"
	expect "/twice/$i, three times" 3 "$(grep -c "^/twice/$i " "$work/calls")"
	trace=$(jq -r --arg path "/ended/$i" 'select(.kind == 2 and .a["url.path"] == $path) | .trace' "$work/flat")
	grep -q "· follows trace $trace" "$work/view" || bad "view shows what /ended/$i's timer follows"
done
expect "no call is anybody else's" "" "$(awk '($2 != "-" && $2 != $1) || ($4 != "-" && $4 != $1)' "$work/calls")"
expect "what lives has no links, what ended no children" "" "$(awk '(/^.alive/ && $4 != "-") || (/^.ended/ && $2 != "-")' "$work/calls")"
beside=$(awk '/^.(alive|ended).([4-9]|1[01]) / && ($2 == $1 || $4 == $1)' "$work/calls" | wc -l)
[ "$beside" -ge 4 ] || bad "of sixteen timers beside others' only $beside are known whose they were"
expect "a timer that was made before the requests that start it" "/tick - none -" "$(grep ^/tick "$work/calls" | uniq)"
[ "$failures" = 0 ] || cat "$work/calls"

# A timer that does others' work as well.
start OTEL_SPAN_LINK_COUNT_LIMIT=0
ask /batch/1 &
first=$!
ask /batch/2
wait "$first"
called /batch/1 1
called /batch/2 1
ask /ended/1
called /ended/1 1
stop_last
judge
expect "one timer for two requests" "/batch/1 - none - /batch/2 - none -" "$(grep ^/batch "$work/calls" | xargs)"
expect "no links by configuration, and told so" "1 0" "$(jq -r '.resourceSpans[].scopeSpans[].spans[]
	| select(.kind == 3 and any(.attributes[]; (.value.stringValue // "") | endswith("/ended/1"))) | "\(.droppedLinksCount) \(.links // [] | length)"' "$spans")"
[ "$failures" = 0 ] || cat "$work/calls"

# The same by GLib's, whose own view of its sources stays as it was.
pkg-config --exists glib-2.0 || { echo "timers_glib: glib-2.0's headers are not installed"; finish; }
gcc -D_GNU_SOURCE -O1 -Wall -o "$work/timers_glib" "$top/tests/integration/snippets/timers_glib.c" $(pkg-config --cflags --libs glib-2.0) || exit 1
: >"$spans"
port=$(free_port)
start_traced timers env TAGALONG_EXPLAIN=true "$work/timers_glib" "$port" "$back"
wait_port "$port" || exit 1
for i in 1 2; do
	ask "/alive/$i"
	ask "/once/$i"
	expect "GLib: the library's own view" 200 "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/api")"
	ask "/ended/$i"
	called "/ended/$i" 1
done
ask /batch/1 &
first=$!
ask /batch/2
wait "$first"
called /batch/1 1
called /batch/2 1
stop_last
judge
for i in 1 2; do
	expect "GLib: /alive/$i" "/alive/$i /alive/$i handoff -" "$(grep "^/alive/$i " "$work/calls")"
	expect "GLib: /once/$i, each time" "/once/$i /once/$i handoff -" "$(grep "^/once/$i " "$work/calls" | uniq)"
	expect "GLib: /once/$i, two times" 2 "$(grep -c "^/once/$i " "$work/calls")"
	expect "GLib: /ended/$i" "/ended/$i - none /ended/$i" "$(grep "^/ended/$i " "$work/calls")"
done
expect "GLib: one timer for two requests" "/batch/1 - none - /batch/2 - none -" "$(grep ^/batch "$work/calls" | xargs)"
[ "$failures" = 0 ] || cat "$work/calls"
finish
