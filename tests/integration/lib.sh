# lib.sh - sourced by the integration tests: programs on free loopback ports, stopped by pid; spans as lines of JSON.
#
# A test is a script that sources this, and exits 0 (good), 77 after `skip REASON`, or anything else (failed).
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
lib=$build/libtagalong.so
# A sanitized library needs its runtime in front; what that finds in any process fails the test.
[ -n "${SAN_RUNTIME:-}" ] && lib="$SAN_RUNTIME $lib"
work=$(mktemp -d)
chmod 777 "$work" # servers give up root
spans=$work/spans.jsonl
export ASAN_OPTIONS=detect_leaks=0:log_path=$work/sanitizer UBSAN_OPTIONS=print_stacktrace=1:log_path=$work/sanitizer
export TSAN_OPTIONS=log_path=$work/sanitizer:report_signal_unsafe=0:exitcode=0
export PYTHONDONTWRITEBYTECODE=1 # nothing is left among the sources
: >"$spans" && chmod 666 "$spans"
pids=()
failures=0

cleanup() {
	trap '' INT TERM
	for pid in "${pids[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	[ -n "${KEEP_WORK:-}" ] && echo "kept: $work" || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

skip() { echo "skipped: $*"; exit 77; }
need() { for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || [ -x "$tool" ] || skip "$tool is not installed"; done; }
bad() { echo "FAILED: $*"; failures=$((failures + 1)); }
finish() {
	for report in "$work"/sanitizer.*; do
		# Of races only those that are ours: a program that reuses descriptors across threads races by itself.
		[ -f "$report" ] && grep -qE '#0 .*libtagalong|ERROR|runtime error' "$report" &&
			{ bad "the sanitizer found:"; grep -B3 -A30 -m3 -E '#0 .*libtagalong|ERROR|runtime error' "$report" | head -n 80; }
	done
	[ "$failures" = 0 ] && echo "all good"
	exit $((failures > 0))
}

# Below the range that outgoing connections take theirs from: it is still free when the program that is to have it starts. A test
# that runs beside another has a range of its own (run.sh's lanes; the demo has what is above), and gets no port twice.
free_port() {
	local range="10000 18000"
	[ -n "${TEST_LANE:-}" ] && range="$((10000 + TEST_LANE * 9000)) 9000"
	# shellcheck disable=SC2086
	perl -MSocket -e 'my ($given, $from, $count) = @ARGV;
		open(my $file, "+>>", $given) or die "$given: $!";
		seek($file, 0, 0);
		my %given = map { $_ + 0 => 1 } <$file>;
		for (;;) {
			my $port = $from + int(rand($count));
			socket(my $socket, PF_INET, SOCK_STREAM, 0) or die $!;
			next if $given{$port} || !bind($socket, sockaddr_in($port, INADDR_LOOPBACK));
			print $file "$port\n";
			print "$port\n";
			last;
		}' "$work/ports" $range
}
wait_port() { # port
	for _ in $(seq 600); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
		sleep 0.05
	done
	echo "nothing listens on port $1"
	return 1
}

# traced SERVICE COMMAND...: runs it with the library in front, spans into $spans.
traced() {
	local service=$1
	shift
	env LD_PRELOAD="$lib" OTEL_SERVICE_NAME="$service" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
		OTEL_BSP_SCHEDULE_DELAY=50 "$@"
}
# background COMMAND...: the same for anything, remembered for the end.
background() { "$@" >>"$work/background.log" 2>&1 & pids+=($!); }
start_traced() { # service command...; own log
	local service=$1
	shift
	env LD_PRELOAD="$lib" OTEL_SERVICE_NAME="$service" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
		OTEL_BSP_SCHEDULE_DELAY=50 "$@" >>"$work/$service.log" 2>&1 &
	pids+=($!)
}
stop_last() {
	local pid=${pids[-1]}
	unset 'pids[-1]'
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# flat FILE...: one span a line, attributes as an object.
flat() {
	jq -c '.resourceSpans[] | (.resource.attributes // [] | map(select(.key == "service.name")) | .[0].value.stringValue) as $service
		| .scopeSpans[].spans[]
		| {service: $service, trace: .traceId, span: .spanId, parent: (.parentSpanId // ""), state: (.traceState // ""),
		   kind: (.kind // 0), name: (.name // ""), flags: (.flags // 0), code: (.status.code // 0),
		   start: (.startTimeUnixNano | tonumber), end: (.endTimeUnixNano | tonumber),
		   a: ([.attributes[]? | {key, value: (.value | (.stringValue // .intValue // .boolValue // .doubleValue // .arrayValue // .bytesValue))}]
		       | from_entries)}' "$@"
}
# wait_spans COUNT [FILE]: until there are that many, or 15 s long none came.
wait_spans() {
	local file=${2:-$spans} n=0 before=0 idle=0
	while [ "$idle" -lt 300 ]; do
		n=$(grep -o '"spanId":' "$file" 2>/dev/null | wc -l)
		[ "$n" -ge "$1" ] && return 0
		[ "$n" = "$before" ] && idle=$((idle + 1)) || idle=0
		before=$n
		sleep 0.05
	done
	bad "only $n of $1 spans arrived"
	return 1
}
count_spans() { grep -o '"spanId":' "${1:-$spans}" 2>/dev/null | wc -l; }
# expect NAME EXPECTED ACTUAL
expect() {
	[ "$2" = "$3" ] && return 0
	bad "$1"
	echo "    expected: $2"
	echo "    got:      $3"
}

start_sink() { # options...; sets sink_url, sink_out
	sink_out=$work/sink.jsonl
	rm -f "$work/sink.port"
	: >>"$sink_out"
	"$build/support/sink" --port-file "$work/sink.port" --out "$sink_out" --metrics-out "$work/sink-metrics.jsonl" "$@" \
		>>"$work/sink.log" 2>&1 &
	pids+=($!)
	for _ in $(seq 600); do [ -s "$work/sink.port" ] && break; sleep 0.05; done
	sink_url=http://127.0.0.1:$(cat "$work/sink.port")
}

# nginx_conf DIR PORT [UPSTREAM_PORT] [SENDFILE]: one worker, a 1 KiB file, an access log.
nginx_conf() {
	mkdir -p "$1/html"
	chmod 777 "$1"
	head -c 1024 /dev/zero | tr '\0' x >"$1/html/1k"
	local location="root html;"
	[ -n "${3:-}" ] && location="proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\";"
	cat >"$1/nginx.conf" <<-EOF
	worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
	events { worker_connections 1024; }
	http {
	log_format one '\$request_uri \$status \$http_traceparent'; access_log access.log one buffer=256k flush=100ms;
	sendfile ${4:-on}; keepalive_requests 1000000;
	client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	${3:+upstream up { server 127.0.0.1:$3; keepalive 16; keepalive_requests 1000000; \}}
	server { listen 127.0.0.1:$2; location / { $location } } }
	EOF
}
