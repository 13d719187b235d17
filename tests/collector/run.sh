#!/usr/bin/env bash
# run.sh JUDGE: the demo's spans, sent to a real OpenTelemetry Collector and to a file of our own at once: what the Collector
# stored must be what the file holds, span by span and field by field, for each encoding.
. "$(dirname "$0")/../integration/lib.sh"
need jq nginx curl
judge=$1
port=$(free_port)

cat >"$work/judge.yaml" <<YAML
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:$port"}}}
exporters:
  file/traces: {path: "$work/judge-traces.jsonl", flush_interval: 50ms, append: true}
  file/metrics: {path: "$work/judge-metrics.jsonl", flush_interval: 50ms, append: true}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces]}
    metrics: {receivers: [otlp], exporters: [file/metrics]}
YAML
"$judge" --config "$work/judge.yaml" >"$work/judge.log" 2>&1 &
judge_pid=$!
pids+=("$judge_pid")
wait_port "$port" || { cat "$work/judge.log"; exit 1; }

# whole FILE: each span with the resource and scope it came under, in order of ids. Nothing is left out but an empty status,
# which says the same as none.
whole() {
	jq -S -c '.resourceSpans[] | .resource as $resource | (.schemaUrl // "") as $schema | .scopeSpans[]
		| .scope as $scope | (.schemaUrl // "") as $scope_schema | .spans[]
		| {resource: $resource, schema: $schema, scope: $scope, scope_schema: $scope_schema, span: (if .status == {} then del(.status) else . end)}' "$1" |
		jq -s -S -c 'sort_by(.span.traceId, .span.spanId)[]'
}
# send NAME VARIABLE=VALUE...
send() {
	local name=$1
	shift
	: >"$work/judge-traces.jsonl"
	: >"$work/$name.jsonl" && chmod 666 "$work/$name.jsonl"
	env "$@" OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$port" OTEL_METRIC_EXPORT_INTERVAL=300 OTEL_METRICS_EXPORTER=otlp \
		DEMO_EXPORTER=otlp,otlp_file DEMO_FILE="$work/$name.jsonl" "$top/demo/run.sh" >"$work/$name.out" 2>&1 ||
		{ cat "$work/$name.out"; bad "$name: the demo failed"; }
	wait_spans 65 "$work/judge-traces.jsonl"
	sleep 0.3
	whole "$work/judge-traces.jsonl" >"$work/$name.judge"
	whole "$work/$name.jsonl" >"$work/$name.ours"
	expect "$name: spans at the Collector" 65 "$(wc -l <"$work/$name.judge")"
	expect "$name: each once" 65 "$(jq -r .span.spanId "$work/$name.judge" | sort -u | wc -l)"
	if ! diff "$work/$name.ours" "$work/$name.judge" >"$work/$name.diff"; then
		bad "$name: what the Collector stored (>) is not what our file holds (<)"
		grep '^[<>]' "$work/$name.diff" | sed -n '1p;$p' | jq -R -c '.[:1], (.[2:] | fromjson | .span, .schema, .scope)' 2>/dev/null
		return
	fi
	# Its own words, walked from the root: four traces.
	expect "$name: four traces of those sizes" "[13,13,14,25]" \
		"$(jq -s -c 'group_by(.span.traceId) | map(length) | sort' "$work/$name.judge")"
	expect "$name: four roots" 4 "$(jq -c 'select((.span.parentSpanId // "") == "")' "$work/$name.judge" | wc -l)"
	echo "$name: $(wc -l <"$work/$name.judge") spans, equal to our own file's"
}
send protobuf OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
send protobuf-gzip OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_COMPRESSION=gzip
send json OTEL_EXPORTER_OTLP_PROTOCOL=http/json
send json-gzip OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_EXPORTER_OTLP_COMPRESSION=gzip
# The same requests by both encodings: the same spans, but for what differs between two runs.
steady() {
	jq -S -c '.span |= del(.traceId, .spanId, .parentSpanId, .startTimeUnixNano, .endTimeUnixNano, .events[]?.timeUnixNano)
		| .resource.attributes |= map(select(.key | test("^(process|service.instance)") | not))
		| .span.attributes |= map(select(.key | test("port$|duration|url.full|client.port") | not)
			| if .key == "server.address" then .value.stringValue |= sub(".*/"; "") else . end)' "$1" | sort
}
steady "$work/protobuf.judge" >"$work/by.protobuf"
steady "$work/json.judge" >"$work/by.json"
cmp -s "$work/by.protobuf" "$work/by.json" || bad "protobuf (<) and JSON (>) deliver the same: $(diff "$work/by.protobuf" "$work/by.json" | head -n 8 | cut -c 1-2000)"

for _ in $(seq 200); do [ -s "$work/judge-metrics.jsonl" ] && break; sleep 0.1; done
names=$(jq -r '.resourceMetrics[].scopeMetrics[].metrics[].name' "$work/judge-metrics.jsonl" | sort -u)
for name in otel.sdk.span.started otel.sdk.exporter.span.exported; do
	grep -qx "$name" <<<"$names" || bad "the counter $name did not reach the Collector: $names"
done
kill "$judge_pid" && wait "$judge_pid" || bad "the Collector did not end well"
complaints=$(grep -iE '\b(warn|error)\b' "$work/judge.log")
[ -z "$complaints" ] || bad "the Collector complained: $complaints"
finish
