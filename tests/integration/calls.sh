#!/usr/bin/env bash
# Each of libc's calls that moves bytes, waits, looks a name up or ends a process, on a connection, bare and preloaded: the same
# results and bytes, and the spans that are due.
. "$(dirname "$0")/lib.sh"
need gcc jq
gcc -D_GNU_SOURCE -O1 -w -o "$work/calls" "$top/tests/integration/snippets/calls.c" -lpthread || exit 1

# both STATUS CASE [NAME]: the same status and output; leaves the spans, flat. What is queued goes out with the end only.
both() {
	local status=$1
	shift
	: >"$spans"
	timeout 60 "$work/calls" "$@" >"$work/bare" 2>/dev/null
	expect "$*, bare: status" "$status" $?
	traced calls OTEL_BSP_SCHEDULE_DELAY=60000 timeout 60 "$work/calls" "$@" >"$work/with" 2>/dev/null
	expect "$*: status" "$status" $?
	cmp -s "$work/bare" "$work/with" || { bad "$*: output"; diff "$work/bare" "$work/with" | head -n 20; }
	flat "$spans" | jq -c '.path = (.a["url.path"] // ((.a["url.full"] // "") | sub("^[a-z]+://[^/]*"; "")))' >"$work/flat"
}

# --- bytes: two exchanges each, joined by the header; what may not be edited has both spans, apart; stdio is not followed
both 0 moves
grep -v 'request whole, answer whole$' "$work/bare" && bad "the program itself"
ways=$(sed -n 's/^\(\/[a-z]*\/[a-z0-9_]*\):.*/\1/p' "$work/bare" | sort -u)
expect "ways to move bytes" 34 "$(wc -w <<<"$ways")"
jq -rs '(map({key: .span, value: .}) | from_entries) as $by | group_by(.path) | .[]
	| (map(select(.kind == 3)) | length) as $calls | (map(select(.kind == 2)) | length) as $served
	| (map(select(.kind == 2 and ($by[.parent].kind == 3) and ($by[.parent].path == .path))) | length) as $joined
	| "\(.[0].path) \($calls) \($served) \($joined)"' "$work/flat" | sort >"$work/counts"
for way in $ways; do
	case $way in
	/frozen/zerocopy) want="$way 2 2 0" ;;
	/frozen/stdio) continue ;;
	*) want="$way 2 2 2" ;;
	esac
	expect "spans (calls, served, joined)" "$want" "$(grep "^$way " "$work/counts")"
done
expect "stdio: no call, and the one request that was read by other means says that its answer is not known" "0 1 lost" \
	"$(jq -rs 'map(select(.path == "/frozen/stdio")) | "\(map(select(.kind == 3)) | length) \(map(select(.kind == 2)) | length) \(map(.a["tagalong.incomplete"]) | unique | join(","))"' "$work/flat")"

# --- waits: the call before is the request's, the one after nobody's; a mask lets its signal in
both 0 waits
grep -q OUT "$work/bare" && bad "the program itself"
jq -rs '(map(select(.kind == 2) | {key: .span, value: .path}) | from_entries) as $served
	| .[] | select(.kind == 3) | "\(.path) \($served[.parent] // "-")"' "$work/flat" | sort >"$work/parents"
for wait in poll poll_chk ppoll ppoll_chk select pselect epoll_wait epoll_pwait epoll_pwait2; do
	expect "$wait" "/after/$wait - /before/$wait /wait/$wait" "$(grep -E "^/(before|after)/$wait " "$work/parents" | xargs)"
done

# --- names: of an HTTP/1.0 request without Host, and of a connect that fails
for lookup in getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyname2_r; do
	: >"$spans"
	traced calls timeout 60 "$work/calls" names "$lookup" >"$work/with" 2>&1
	expect "$lookup: status" 0 $?
	expect "$lookup: server.address, network.peer.address" "GET localhost 127.0.0.1 /named/$lookup|connect localhost 127.0.0.1 " \
		"$(flat "$spans" | jq -r 'select(.kind == 3) | "\(.name) \(.a["server.address"]) \(.a["network.peer.address"]) \((.a["url.full"] // "") | sub("^http://localhost:[0-9]+"; ""))"' | paste -sd'|')"
done

# --- ends: nothing of what was queued is lost
for end in _exit:7 _Exit:7 exit:7 quick_exit:7 abort:134 abort-caught:9 exec:1 pthread_exit:0 exit-in-thread:7 fork:7 return:7; do
	both "${end#*:}" ends "${end%:*}"
	more=
	case ${end%:*} in exit | quick_exit) more=" 2 /end/handler" ;; fork) more=" 2 /end/child" ;; esac
	expect "${end%:*}: exported" "2 /end$more" "$(jq -r .path "$work/flat" | sort | uniq -c | xargs)"
	expect "${end%:*}: each once" "$(wc -l <"$work/flat")" "$(jq -r .span "$work/flat" | sort -u | wc -l)"
done

# --- descriptors that travel in messages: followed where they arrive, unless that is in the middle of something
both 0 passed
grep -vE ': (answered|0)$' "$work/bare" && bad "the program itself"
for path in 0 1 2 3; do
	expect "/passed/$path: calls, and servers under them" "2 2" "$(jq -rs --arg path "/passed/$path" 'map(select(.path == $path))
		| map(select(.kind == 3) | .span) as $calls
		| "\($calls | length) \(map(select(.kind == 2) | .parent | select(IN($calls[]))) | length)"' "$work/flat")"
done
expect "a client's end that was passed on" 1 "$(jq -c 'select(.kind == 3 and .path == "/passed/client")' "$work/flat" | wc -l)"
expect "a head that was cut by it: no server's span" 0 "$(jq -c 'select(.kind == 2 and .path == "/passed/half")' "$work/flat" | wc -l)"
finish
