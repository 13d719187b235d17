#!/usr/bin/env bash
# What leaves: protobuf and JSON say the same, retries and partial success are handled, files are shared, nothing hangs.
. "$(dirname "$0")/lib.sh"
need curl jq nginx

port=$(free_port)
nginx_conf "$work/web" "$port"
background nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1
get() { env LD_PRELOAD="$lib" OTEL_SERVICE_NAME=getter "$@" curl -s -o /dev/null "http://127.0.0.1:$port/1k"; }
comparable() { flat "$1" | jq -c 'del(.trace, .span, .start, .end, .a["tagalong.connect.duration"], .a["network.local.port"])'; }

# --- protobuf, JSON, gzip and file deliver the same span
start_sink --raw "$work/raw"
for how in protobuf json; do
	: >"$sink_out"
	get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_EXPORTER_OTLP_PROTOCOL=http/$how OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b" || bad "curl failed"
	expect "$how: spans at the receiver" 1 "$(count_spans "$sink_out")"
	comparable "$sink_out" >"$work/by.$how"
done
: >"$sink_out"
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_EXPORTER_OTLP_COMPRESSION=gzip
comparable "$sink_out" >"$work/by.gzip"
get OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$work/one.jsonl"
comparable "$work/one.jsonl" >"$work/by.file"
for how in json gzip file; do expect "$how delivers what protobuf does" "$(cat "$work/by.protobuf")" "$(cat "$work/by.$how")"; done
grep -q '^x-key: a b' "$work/raw" || bad "OTEL_EXPORTER_OTLP_HEADERS did not arrive decoded"
grep -q '^Content-Encoding: gzip' "$work/raw" || bad "gzip was not announced"
grep -q 'POST /v1/metrics' "$work/raw" || bad "the counters were not sent"
jq -e '[.resourceMetrics[].scopeMetrics[].metrics[].name] | index("otel.sdk.span.started")' "$work/sink-metrics.jsonl" >/dev/null ||
	bad "the counters do not hold otel.sdk.span.started"

# --- the URL rule
get OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="$sink_url/custom/path" OTEL_METRICS_EXPORTER=none 2>"$work/err"
grep -q 'POST /custom/path HTTP' "$work/raw" || bad "a signal's endpoint is not used as it is"
grep -q 'answered 404' "$work/err" || bad "a 404 is not reported"
stop_last

# --- failures: answered by retry, reported, or dropped, never hanging the program
: >"$sink_out"
start_sink --fail 1:503:0
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_METRICS_EXPORTER=none
expect "503 is retried" 1 "$(count_spans "$sink_out")"
stop_last
: >"$sink_out"
start_sink --fail 1:400
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_METRICS_EXPORTER=none 2>"$work/err"
expect "400 is not retried" 0 "$(count_spans "$sink_out")"
grep -q 'sink says no' "$work/err" || bad "the receiver's reason is not logged: $(cat "$work/err")"
stop_last
start_sink --partial 1
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_METRICS_EXPORTER=none 2>"$work/err"
grep -q 'one too many' "$work/err" || bad "a partial success is not logged: $(cat "$work/err")"
stop_last
: >"$sink_out"
start_sink --close 1
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_METRICS_EXPORTER=none
expect "a connection closed before the answer is tried again" 1 "$(count_spans "$sink_out")"
stop_last
start_sink --hang 600
get OTEL_EXPORTER_OTLP_ENDPOINT="$sink_url" OTEL_METRICS_EXPORTER=none OTEL_EXPORTER_OTLP_TIMEOUT=0 OTEL_BSP_EXPORT_TIMEOUT=0 \
	TAGALONG_EXIT_TIMEOUT=500 timeout 60 2>/dev/null
expect "a hanging receiver does not hold the program" 0 $?
stop_last
get OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 TAGALONG_EXIT_TIMEOUT=1000000 timeout 60 2>"$work/err"
expect "a receiver that is not there does not hold the program" 0 $?
expect "it is said once" 1 "$(grep -c 'cannot be reached' "$work/err")"

# --- the receiver comes back: what was queued arrives
sink_port=$(free_port)
back=$(free_port)
nginx_conf "$work/traced" "$back"
env LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$sink_port" OTEL_METRICS_EXPORTER=none OTEL_BSP_SCHEDULE_DELAY=300 \
	nginx -p "$work/traced" -c nginx.conf 2>"$work/back.err" &
pids+=($!)
wait_port "$back"
"$build/support/load" "$back" /1k 50 >/dev/null
sleep 1
: >"$work/late.jsonl"
/usr/bin/python3 - "$sink_port" "$work/late.bin" <<'PY' &
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open(sys.argv[2], "ab").write(body)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
pids+=($!)
arrived() { grep -ao 'http.response.status_code' "$work/late.bin" 2>/dev/null | wc -l; }
for _ in $(seq 400); do [ "$(arrived)" -ge 50 ] && break; sleep 0.1; done
expect "spans kept while it was away" 50 "$(arrived)"
stop_last
stop_last

# --- one file, many processes
for i in $(seq 12); do get OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$work/shared.jsonl" & done
wait $(jobs -p | grep -vxF "$(printf '%s\n' "${pids[@]}")") 2>/dev/null
sleep 0.3
expect "twelve processes, twelve whole lines" 12 "$(jq -c . "$work/shared.jsonl" | wc -l)"

# --- for people and pipes
out=$(env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=console curl -s -o /dev/null "http://127.0.0.1:$port/1k")
grep -q '^CLIENT GET .*url.full=http://127.0.0.1' <<<"$out" || bad "console: $out"
out=$(env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=otlp/stdout curl -s -o /dev/null "http://127.0.0.1:$port/1k")
jq -e '.resourceSpans[0].scopeSpans[0].spans[0].kind == 3' <<<"$out" >/dev/null || bad "otlp/stdout: $out"
out=$(env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=none curl -s -o /dev/null -w done "http://127.0.0.1:$port/1k" 2>&1)
expect "none says nothing" "done" "$out"

# --- what cannot be had yet is said, once, and the program runs
out=$(get OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:1 2>&1)
grep -q 'grpc' <<<"$out" && grep -q 'https' <<<"$out" || bad "grpc and https are not explained: $out"
# --- a file that cannot be opened is told by the setting that names it, once
for setting in TAGALONG_FILE TAGALONG_METRICS_FILE; do
	said=$(traced mute env OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/counts.jsonl" "$setting=/no/such/file" \
		curl -s -m 5 http://127.0.0.1:1/ 2>&1)
	expect "$setting that cannot be opened" "$setting: \"/no/such/file\" cannot be opened for appending: No such file or directory" \
		"$(sed -nE 's/^tagalong\[[0-9]+\] warn export: //p' <<<"$said")"
done
finish
