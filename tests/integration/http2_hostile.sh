#!/usr/bin/env bash
# A peer that floods, bombs or garbles HTTP/2: the host reads every byte as without us, our memory stays within its bounds, what
# cannot be followed is given up and counted; servers and clients go on, and say what they say without us.
. "$(dirname "$0")/lib.sh"
need gcc jq curl /usr/bin/python3
here=$top/tests/integration/snippets
hostile=$here/hostile_http2.py
python=/usr/bin/python3
attacks=$($python "$hostile" list)
gcc -O1 -o "$work/sink" "$here/hostile_sink.c" || exit 1

# --- one that only reads ---------------------------------------------------------------------------------------------------
for way in bare traced; do
	front=()
	[ $way = traced ] && front=(traced sink env OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/metrics.jsonl")
	: >"$work/$way"
	${front[@]+"${front[@]}"} "$work/sink" "$(wc -w <<<"$attacks")" >"$work/$way" &
	sink=$!
	for _ in $(seq 100); do [ -s "$work/$way" ] && break; sleep 0.05; done
	timeout 60 $python "$hostile" "$(head -n 1 "$work/$way")" $attacks
	wait $sink || bad "$way: the reader's exit status is $?"
done
lines=$(($(wc -w <<<"$attacks") + 1))
expect "all was read" "$((lines + 1))" "$(wc -l <"$work/traced")"
diff <(sed -n "2,${lines}p" "$work/bare") <(sed -n "2,${lines}p" "$work/traced") || bad "the host read something else"
bare=$(tail -n 1 "$work/bare") traced=$(tail -n 1 "$work/traced")
[ $((traced - bare)) -lt 16384 ] || bad "$traced KiB of memory, $bare without us"
jq -rs '[.[].resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.parser.gave_up") | .sum.dataPoints[]
	| {key: .attributes[0].value.stringValue, value: (.asInt | tonumber)}] | group_by(.key) | map("\(.[0].key) \(map(.value) | max)") | .[]' \
	"$work/metrics.jsonl" >"$work/gave_up"
awk '$1 == "too_large" && $2 == 5 { large = 1 } $1 == "malformed" && $2 >= 3 { bad = 1 } END { exit !(large && bad) }' "$work/gave_up" ||
	bad "given up: $(paste -sd' ' "$work/gave_up")"

# --- servers: still there afterwards -----------------------------------------------------------------------------------------
web=$(free_port) ng=$(free_port)
nginx_conf "$work/web" "$web"
sed -i "s/listen 127.0.0.1:$web;/listen 127.0.0.1:$web http2;/" "$work/web/nginx.conf"
servers=""
if command -v nginx >/dev/null && nginx -V 2>&1 | grep -q http_v2_module; then
	start_traced web nginx -p "$work/web" -c nginx.conf
	servers="web:$web"
fi
if command -v nghttpd >/dev/null; then
	start_traced ng nghttpd --no-tls -a 127.0.0.1 -d "$work/web/html" "$ng"
	servers+=" ng:$ng"
fi
served_after() { flat "$spans" | jq -s 'map(select(.a["url.query"] == "after" and .a["http.response.status_code"] == "200")) | length'; }
for server in $servers; do
	pid=${pids[0]}
	[ "${server%:*}" = ng ] && pid=${pids[-1]}
	wait_port "${server#*:}" || exit 1
	timeout 60 $python "$hostile" "${server#*:}" $attacks
	kill -0 "$pid" 2>/dev/null || bad "${server%:*} is gone"
	: >"$spans"
	for _ in 1 2 3; do
		expect "${server%:*} serves on" 200 "$(curl -s -m 10 --http2-prior-knowledge -o /dev/null -w '%{http_code}' "http://127.0.0.1:${server#*:}/1k?after")"
	done
	for _ in $(seq 100); do # spans of what came before may still be on their way: their number says nothing
		[ "$(served_after)" = 3 ] && break
		sleep 0.1
	done
	expect "${server%:*}: and is followed" 3 "$(served_after)"
done

# --- a client that gets it as an answer: it ends as it does without us ---------------------------------------------------------
for name in continuations settings bomb long garbage broken rapid empty; do
	for way in bare traced; do
		front=()
		[ $way = traced ] && front=(traced client)
		: >"$work/port"
		$python "$hostile" serve $name >"$work/port" 2>/dev/null &
		for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.05; done
		${front[@]+"${front[@]}"} curl -s -m 20 --http2-prior-knowledge -o /dev/null "http://127.0.0.1:$(cat "$work/port")/" >/dev/null 2>&1
		echo "$name $?" >>"$work/ends.$way"
		wait $!
	done
done
diff "$work/ends.bare" "$work/ends.traced" || bad "curl ends in another way"
finish
