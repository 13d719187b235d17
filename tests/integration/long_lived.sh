#!/usr/bin/env bash
# What stays open: a WebSocket's handshake is its span and nothing after it is touched; a stream of events is one span until it
# ends, or until it has lasted as long as the settings allow: then tracking ends, is counted, and the connection is followed on.
. "$(dirname "$0")/lib.sh"
need nginx jq curl /usr/bin/python3
here=$top/tests/integration/snippets/long
python=/usr/bin/python3

# chain of services: each span with its status, from the root on
chain() {
	flat "$spans" | jq -rs '. as $all | def below($id): $all | map(select(.parent == $id)) | .[];
		def line: "\(.service)\(.kind):\(.a["http.response.status_code"])" as $me | [below(.span) | line] | if length > 0 then $me + " " + join("|") else $me end;
		map(select(.parent == "")) | map(line) | join("; ")'
}

# --- WebSocket: client -> nginx -> server ---------------------------------------------------------------------------------
front=$(free_port) events=$(free_port) sockets=$(free_port) proxy=$(free_port)
mkdir -p "$work/front"
chmod 777 "$work/front"
cat >"$work/front/nginx.conf" <<EOF2
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { worker_connections 256; }
http {
access_log off;
client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
upstream events { server 127.0.0.1:$events; keepalive 4; }
server { listen 127.0.0.1:$front http2;
location / { proxy_pass http://events; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection ""; } }
server { listen 127.0.0.1:$proxy;
location / { proxy_pass http://127.0.0.1:$sockets; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade; } }
}
EOF2
TAGALONG_MAX_SPAN_DURATION=400 OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE=$work/metrics.jsonl \
	start_traced front nginx -p "$work/front" -c nginx.conf
wait_port "$front" || exit 1
if $python -c 'import websockets' 2>/dev/null; then
	start_traced sockets $python "$here/websocket_server.py" "$sockets"
	wait_port "$sockets" || exit 1
	: >"$spans"
	mkfifo "$work/hold"
	traced client $python "$here/websocket_client.py" "ws://127.0.0.1:$proxy/chat" <"$work/hold" >"$work/chat" 2>&1 &
	client=$!
	exec 9>"$work/hold"
	wait_spans 4 # while all of it is open
	for _ in $(seq 100); do [ -s "$work/chat" ] && break; sleep 0.1; done
	expect "messages" "as sent" "$(cat "$work/chat")"
	exec 9>&-
	wait $client
	sleep 0.2
	expect "one span for each handshake" "client3:101 front2:101 front3:101 sockets2:101" "$(chain)"
	expect "and nothing else" "4 0" "$(count_spans) $(grep -c tagalong.incomplete "$spans")"

	# The same over HTTP/2 (RFC 8441), of which a proxy makes an Upgrade again.
	if command -v nghttpx >/dev/null && gcc -O1 -Wall -Werror -o "$work/h2_websocket" "$here/h2_websocket.c" -lnghttp2; then
		h2=$(free_port)
		OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE=$work/metrics.jsonl start_traced nghttpx nghttpx --conf=/dev/null --no-ocsp -n 1 \
			-f "127.0.0.1,$h2;no-tls" -b "127.0.0.1,$sockets" --errorlog-file="$work/nghttpx.errors"
		wait_port "$h2" || exit 1
		for way in bare traced; do
			: >"$spans"
			: >"$work/chat"
			runner=(env)
			[ $way = traced ] && runner=(traced client)
			"${runner[@]}" "$work/h2_websocket" "$h2" "/chat?room=1" <"$work/hold" >"$work/chat" 2>&1 &
			client=$!
			exec 9>"$work/hold"
			for _ in $(seq 200); do [ -s "$work/chat" ] && break; sleep 0.05; done
			expect "over HTTP/2, $way: messages" "as sent" "$(cat "$work/chat")"
			wait_spans $([ $way = traced ] && echo 4 || echo 3) # while all of it is open
			exec 9>&-
			wait $client || bad "over HTTP/2, $way: exit status $?"
		done
		sleep 0.2
		expect "over HTTP/2: one span for each handshake" "client3:200 nghttpx2:200 nghttpx3:101 sockets2:101" "$(chain)"
		expect "and nothing else" "4 0" "$(count_spans) $(grep -c tagalong.incomplete "$spans")"
		expect "over HTTP/2: where it went" "/chat http://localhost/chat?room=1" "$(flat "$spans" | jq -rs \
			'"\(map(select(.service == "nghttpx" and .kind == 2)) | .[0].a["url.path"]) \(map(select(.service == "client")) | .[0].a["url.full"])"')"
	else
		echo "left out: nghttp2-proxy is not installed"
	fi
else
	echo "left out: python3-websockets is not installed"
fi

# --- a stream of events: 40 of 50 ms ----------------------------------------------------------------------------------------
start_traced events env TAGALONG_MAX_SPAN_DURATION=0 $python "$here/events.py" "$events"
wait_port "$events" || exit 1
# limit, what the client's span says of it
for case in "0 -" "3600000 -" "400 too_long"; do
	read -r limit wished <<<"$case"
	: >"$spans"
	expect "limit $limit: the events and what follows on the same connection" "40 1 1" "$(traced client env TAGALONG_MAX_SPAN_DURATION="$limit" \
		curl -sN "http://127.0.0.1:$events/stream/40" "http://127.0.0.1:$events/next" -w '%{num_connects}\n' |
		awk '/^data: [0-9]+$/ { n++ } $0 == "ok" { ok++ } /^[01]$/ { c += $1 } END { print n, ok, c }')"
	wait_spans 4
	expect "limit $limit: spans" "$wished 200 - 200" "$(flat "$spans" | jq -rs 'map(select(.service == "client")) | sort_by(.start)
		| map("\(.a["tagalong.incomplete"] // "-") \(.a["http.response.status_code"])") | join(" ")')"
	expect "limit $limit: the server has no limit, its span is the stream" "true -" "$(flat "$spans" | jq -rs '
		map(select(.service == "events" and .a["url.path"] != "/next")) | .[0] | "\(.end - .start > 1.9e9) \(.a["tagalong.incomplete"] // "-")"')"
done
expect "a span that is let go ends when it is" true "$(flat "$spans" | jq -s '(map(select(.service == "events")) | map(.end) | min) as $served
	| map(select(.a["tagalong.incomplete"] == "too_long")) | length == 1 and (.[0] | .end - .start > 0.4e9 and .end < $served)')"

# --- streams on which nothing passes any more: their slots are given back when somebody needs one, and when the exporter is awake
silent=$(free_port)
TAGALONG_MAX_ACTIVE_SPANS=16 TAGALONG_MAX_SPAN_DURATION=300 OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE=$work/silent.jsonl \
	OTEL_METRIC_EXPORT_INTERVAL=100 start_traced silent $python "$here/events.py" "$silent"
wait_port "$silent" || exit 1
: >"$spans"
streams=()
for n in $(seq 16); do
	curl -sN "http://127.0.0.1:$silent/silent" >"$work/silent.$n" &
	streams+=($!)
	for _ in $(seq 200); do [ -s "$work/silent.$n" ] && break; sleep 0.02; done
done
expect "sixteen streams take all slots" "0 16" "$(count_spans) $(cat "$work"/silent.* | grep -c ^data)"
tries=0
until flat "$spans" | jq -se 'map(.a["url.path"]) | index("/next") != null and (map(select(. == "/silent")) | length == 16)' >/dev/null ||
	[ $tries = 100 ]; do
	curl -s "http://127.0.0.1:$silent/next" >/dev/null
	tries=$((tries + 1))
	sleep 0.05
done
expect "slots come back" "16 too_long 200, then others" "$(flat "$spans" | jq -rs 'map(select(.a["url.path"] == "/silent"))
	| "\(length) \(map("\(.a["tagalong.incomplete"]) \(.a["http.response.status_code"])") | unique | join(" "))"'), $([ $tries -lt 100 ] && echo then others)"
kill "${streams[@]}"
wait "${streams[@]}" 2>/dev/null
for _ in 1 2; do curl -s "http://127.0.0.1:$silent/next" >/dev/null; done
# One alone, with slots enough: nothing but the others' spans wakes anybody.
curl -sN "http://127.0.0.1:$silent/silent" >"$work/silent.17" &
stream=$!
for _ in $(seq 100); do
	curl -s "http://127.0.0.1:$silent/next" >/dev/null
	[ "$(grep -o '"too_long"' "$spans" | wc -l)" -ge 17 ] && break
	sleep 0.05
done
kill $stream
wait $stream 2>/dev/null
cut() {
	jq -s '[.[].resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.spans.cut") | .sum.dataPoints[] | .asInt | tonumber] | max' \
		"$work/silent.jsonl" 2>/dev/null
}
for _ in $(seq 100); do [ "$(cut)" = 17 ] && break; sleep 0.05; done
expect "a single one too; all are counted" "17 17" "$(grep -o '"too_long"' "$spans" | wc -l) $(cut)"

# --- over HTTP/2 into nginx, whose limit is 400 ms: both of its spans are let go, the streams beside it are not ----------
: >"$spans"
curl -sN --http2-prior-knowledge --parallel --parallel-immediate "http://127.0.0.1:$front/stream/40" "http://127.0.0.1:$front/next" >"$work/out"
sleep 0.5
curl -s --http2-prior-knowledge "http://127.0.0.1:$front/again" >>"$work/out"
expect "all of it came" "40 2" "$(grep -c ^data "$work/out") $(grep -c ok "$work/out")"
wait_spans 9
expect "nginx lets both of its long spans go, and no other" "too_long 2 - 4" "$(flat "$spans" | jq -rs 'map(select(.service == "front"))
	| group_by(.a["tagalong.incomplete"]) | map("\(.[0].a["tagalong.incomplete"] // "-") \(length)") | sort_by(startswith("-")) | join(" ")')"
kill "${pids[0]}"
wait "${pids[0]}" 2>/dev/null
expect "and counts them" 2 "$(jq -s '[.[].resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.spans.cut")
	| .sum.dataPoints[] | .asInt | tonumber] | max' "$work/metrics.jsonl")"
# What a WebSocket says after its handshake is not HTTP that went wrong: it was handed over, on both sides of nginx.
$python -c 'import websockets' 2>/dev/null && expect "handed over, and nothing given up" "2 0" "$(jq -rs '[.[].resourceMetrics[].scopeMetrics[].metrics[] | .name as $name
	| .sum.dataPoints[]? | {key: "\($name) \(.attributes[0].value.stringValue)", value: (.asInt | tonumber)}] | group_by(.key) | map({key: .[0].key, value: (map(.value) | max)})
	| "\(map(select(.key == "tagalong.connections.opaque handed_over")) | .[0].value // 0) \(map(select(.key | startswith("tagalong.parser.gave_up")) | .value) | add // 0)"' "$work/metrics.jsonl")"
finish
