#!/usr/bin/env bash
# Why a call has no parent: told on its span, counted by reason, shown by view. Servers of the accuracy rig that must leave calls
# in doubt, each in its way (same_id: correlate.sh).
. "$(dirname "$0")/lib.sh"
need jq gcc /usr/bin/python3
rig=$top/tests/causality
gcc -D_GNU_SOURCE -std=gnu11 -O2 -Wno-format-truncation -o "$work/load" "$rig/load.c" -lpthread || exit 1
gcc -D_GNU_SOURCE -std=gnu11 -O2 -Wno-format-truncation -o "$work/downstream" "$rig/downstream.c" -lpthread || exit 1
export RIG_ABORTED=$work/aborted OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE=$work/metrics OTEL_METRIC_EXPORT_INTERVAL=100

told() { flat "$spans" | jq -r '.a["tagalong.parent.ambiguity"] // empty' | sort | uniq -c | awk '{print $2, $1}'; }
counted() { # the last of each
	jq -rs '[.[].resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.parent.ambiguous") | .sum.dataPoints[]
		| {key: (.attributes[] | select(.key == "reason") | .value.stringValue), value: .asInt}] | from_entries
		| to_entries[] | select(.value != "0" and .value != 0) | "\(.key) \(.value)"' "$work/metrics" 2>/dev/null | sort
}
# doubt SERVER REASON...: those must be among the reasons
doubt() {
	local server=$1 port back
	shift
	: >"$spans"
	rm -f "$work/metrics"
	gcc -D_GNU_SOURCE -std=gnu11 -O2 -Wno-format-truncation -o "$work/$server" "$rig/servers/$server.c" -lpthread || exit 1
	port=$(free_port) back=$(free_port)
	"$work/downstream" "$back" "$work/seen" "" &
	pids+=($!)
	wait_port "$back" || exit 1
	start_traced "$server" env TAGALONG_QUEUE_BYTES=64M "$work/$server" "$port" "$back"
	wait_port "$port" || exit 1
	"$work/load" "$port" 600 24 keep calls=3 first=1000 >"$work/out" || bad "$server: $(cat "$work/out")"
	for _ in $(seq 150); do
		[ -n "$(told)" ] && [ "$(told)" = "$(counted)" ] && break
		sleep 0.1
	done
	expect "$server: what is told is counted" "$(told)" "$(counted)"
	for reason in "$@"; do
		told | grep -q "^$reason " || bad "$server: no call is in doubt because of $reason: $(told | paste -sd,)"
	done
	stop_last
	stop_last
	expect "$server: the attribute goes with the reason, and no parent" 0 \
		"$(flat "$spans" | jq -rs 'map(select((.a["tagalong.parent.ambiguous"] // false) != (.a | has("tagalong.parent.ambiguity"))
			or (.a["tagalong.parent.ambiguous"] and .parent != ""))) | length')"
}
doubt c_epoll_tail two_read event_loop
doubt c_epoll_cap_new connection
doubt neg_timer timer
"$build/tagalong" view "$spans" | grep -q '(parent ambiguous: timer)' || bad "view says why"
doubt neg_pool_born thread_pool
finish
