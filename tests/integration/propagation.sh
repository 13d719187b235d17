#!/usr/bin/env bash
# What servers in C, Python and nginx make of incoming context (otel.md 4.1, 4.2), and what a client sends.
. "$(dirname "$0")/lib.sh"
need nginx curl jq

T=0af7651916cd43dd8448eb211c80319c P=b7ad6b7169203331
c=$(free_port) py=$(free_port) ng=$(free_port)
mkdir -p "$work/www"
nginx_conf "$work/web" "$ng"
start_traced c "$build/demo/stock" "$c"
start_traced python /usr/bin/python3 -m http.server "$py" --bind 127.0.0.1 --directory "$work/www"
start_traced nginx nginx -p "$work/web" -c nginx.conf
for port in $c $py $ng; do wait_port "$port" || exit 1; done

n=0
: >"$work/want"
# ask EXPECTED HEADER...: EXPECTED is "new" or "child FLAGS STATE"
ask() {
	local want=$1 args=() port
	shift
	for header in "$@"; do args+=(-H "$header"); done
	n=$((n + 1))
	for port in $c $py $ng; do curl -s -o /dev/null "${args[@]}" "http://127.0.0.1:$port/case-$n"; done
	printf '/case-%s\t%s\t%s\n' "$n" "$want" "$*" >>"$work/want"
}
tp=00-$T-$P-01
ask "child 769 " "traceparent: $tp"
ask "child 768 " "traceparent: 00-$T-$P-00"
ask "child 771 " "traceparent: 00-$T-$P-03"
ask "child 769 " "traceparent: 00-$T-$P-ff" # unknown flags are masked: sampled and random stay
sed -i '$s/child 769 /child 771 /' "$work/want"
ask "child 769 " "TraceParent: $tp"
ask "child 769 " "traceparent:   $tp  "
ask "child 769 " "traceparent: cc-$T-$P-01"
ask "child 769 " "traceparent: cc-$T-$P-01-what-the-future-holds"
ask new "traceparent: cc-$T-$P-01.what"
ask new "traceparent: ff-$T-$P-01"
ask new "traceparent: $tp-extra"
ask new "traceparent: 00-$T-$P"
ask new "traceparent: 00-${T^^}-$P-01"
ask new "traceparent: 00-00000000000000000000000000000000-$P-01"
ask new "traceparent: 00-$T-0000000000000000-01"
ask new "traceparent: 00-$T-$P-0x"
ask new "traceparent: 00_$T-$P-01"
ask new "traceparent: $tp" "traceparent: $tp"
ask new "tracestate: a=b"
ask "child 769 a=b" "traceparent: $tp" "tracestate: a=b"
ask "child 769 a=b,c=d" "traceparent: $tp" "tracestate: a=b" "tracestate: c=d"
ask "child 769 a=b,c=d" "traceparent: $tp" "tracestate: a=b , ,	c=d"
ask "child 769 a@b=1,0x@y/z=2" "traceparent: $tp" "tracestate: a@b=1,0x@y/z=2"
ask "child 769 " "traceparent: $tp" "tracestate: A=b,c=d"
ask "child 769 " "traceparent: $tp" "tracestate: a=b=c"
ask "child 769 " "traceparent: $tp" "tracestate: @a=b"
many=$(seq -s, 1 32 | sed 's/[0-9]\+/k&=v/g')
ask "child 769 $many" "traceparent: $tp" "tracestate: $many"
ask "child 769 " "traceparent: $tp" "tracestate: $many,k33=v"
long() { head -c "$1" /dev/zero | tr '\0' "$2"; }
ask "child 769 a= b" "traceparent: $tp" "tracestate: a= b"
ask "child 769 a=b,c=d" "traceparent: $tp" "tracestate: a=b,,c=d,"
ask "child 769 " "traceparent: $tp" "tracestate: a="
ask "child 769 a=$(long 256 v)" "traceparent: $tp" "tracestate: a=$(long 256 v)"
ask "child 769 " "traceparent: $tp" "tracestate: a=$(long 257 v)"
ask "child 769 $(long 256 k)=v" "traceparent: $tp" "tracestate: $(long 256 k)=v"
ask "child 769 " "traceparent: $tp" "tracestate: $(long 257 k)=v"
ask "child 769 a=$(long 250 v),b=$(long 250 v)" "traceparent: $tp" "tracestate: a=$(long 250 v),b=$(long 250 v)"
# Beyond 512 something must go: whole members, those beyond 128 characters first.
ask "child 769 a=$(long 250 v),b=$(long 240 v),d=1" "traceparent: $tp" "tracestate: a=$(long 250 v),b=$(long 240 v),c=$(long 250 v),d=1"
ask new "traceparent: 00-$T-${P^^}-01" "tracestate: a=b"
ask new "traceparent: 00-$T-$P-0A" "tracestate: a=b"
ask new "traceparent: 0-$T-$P-01"
ask new "traceparent: 00-$T-$P-01," "tracestate: a=b"
ask new "traceparent;"
ask new "b3: $T-$P-1" # not configured

recorded=$((3 * n - 3)) # three cases of flag 00 are not recorded: checked by their absence
wait_spans "$recorded"
sleep 0.3
flat "$spans" | jq -r '[.a["url.path"], .service, (if .parent == "" then "new" + (if .state == "" then "" else " with state" end) else "child \(.flags) \(.state)" end), .trace, .parent] | @tsv' |
	sort >"$work/got"
while IFS=$'\t' read -r path want headers; do
	for service in c nginx python; do
		got=$(awk -F'\t' -v p="$path" -v s="$service" '$1 == p && $2 == s {print $3}' "$work/got")
		[ "${want:0:9}" = "child 768" ] && want=""
		expect "$service, $headers" "$want" "$got"
	done
done <"$work/want"
expect "children carry the caller's ids" "$T $P" "$(awk -F'\t' '$3 != "new" {print $4, $5}' "$work/got" | sort -u)"

# --- the other formats, read and written
echo_server=$(free_port)
/usr/bin/python3 - "$echo_server" "$work/headers" <<'PY' &
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with open(sys.argv[2], "a") as out:
            for name, value in self.headers.items(): out.write(f"{self.path}|{name.lower()}|{value}\n")
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
pids+=($!)
wait_port "$echo_server" || exit 1
sent() { awk -F'|' -v p="$1" -v n="$2" '$1 == p && $2 == n {print $3}' "$work/headers"; }
format() { # propagators header regex [header regex]
	local path=/out-$1
	path=${path//,/-}
	traced sender env OTEL_PROPAGATORS="$1" curl -s -o /dev/null "http://127.0.0.1:$echo_server$path" || bad "$1: curl failed"
	shift
	while [ $# -gt 0 ]; do
		expect "$path sends $1" yes "$(sent "$path" "$1" | grep -qE "$2" && echo yes || sent "$path" "$1")"
		expect "$path sends $1 once" 1 "$(sent "$path" "$1" | wc -l)"
		shift 2
	done
}
format tracecontext traceparent '^00-[0-9a-f]{32}-[0-9a-f]{16}-03$'
format b3 b3 '^[0-9a-f]{32}-[0-9a-f]{16}-1$'
format b3multi x-b3-traceid '^[0-9a-f]{32}$' x-b3-spanid '^[0-9a-f]{16}$' x-b3-sampled '^1$'
format jaeger uber-trace-id '^[0-9a-f]{32}:[0-9a-f]{16}:0:1$'
format xray x-amzn-trace-id '^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$'
format ottrace ot-tracer-traceid '^[0-9a-f]{16}$' ot-tracer-spanid '^[0-9a-f]{16}$' ot-tracer-sampled '^true$'
format tracecontext,b3 traceparent '^00-' b3 '^[0-9a-f]{32}-'
traced sender env OTEL_PROPAGATORS=none curl -s -o /dev/null "http://127.0.0.1:$echo_server/out-nothing"
expect "none sends nothing" "" "$(sent /out-nothing traceparent)"
traced sender curl -s -o /dev/null -H "traceparent: $tp" "http://127.0.0.1:$echo_server/own"
expect "a header of the program's own stays, alone" "$tp" "$(sent /own traceparent)"
traced sender env OTEL_TRACES_SAMPLER=always_off curl -s -o /dev/null "http://127.0.0.1:$echo_server/off"
expect "unsampled goes on the wire as such" yes "$(sent /off traceparent | grep -qE '^00-[0-9a-f]{32}-[0-9a-f]{16}-02$' && echo yes || sent /off traceparent)"
# --- all six samplers: root, sampled parent, unsampled parent -> what is said on the wire, and who is exported
sample() { # sampler argument expected...
	local sampler=$1 arg=$2 want got path context name
	shift 2
	: >"$spans"
	for name in root sampled unsampled; do
		want=$1
		shift
		path=/sample-$sampler-$arg-$name
		case $name in root) context= ;; sampled) context=$tp ;; unsampled) context=00-$T-$P-00 ;; esac
		TRACEPARENT=$context traced sender env OTEL_TRACES_SAMPLER="$sampler" OTEL_TRACES_SAMPLER_ARG="$arg" \
			curl -s -o /dev/null "http://127.0.0.1:$echo_server$path"
		got="$(sent "$path" traceparent | cut -d- -f4 | sed 's/0[13]/on/; s/0[02]/off/') $(sent "$path" tracestate)"
		got="$got$(flat "$spans" | jq -r --arg p "$path" 'select(.a["url.full"] | endswith($p)) | " exported " + .state')"
		expect "$sampler $arg, $name" "$want" "$(xargs <<<"$got")"
	done
}
sample always_on "" "on exported" "on exported" "on exported"
sample always_off "" "off" "off" "off"
sample traceidratio 1 "on ot=th:0 exported ot=th:0" "on ot=th:0 exported ot=th:0" "on ot=th:0 exported ot=th:0"
sample traceidratio 0 "off" "off" "off"
sample parentbased_always_on "" "on exported" "on exported" "off"
sample parentbased_always_off "" "off" "on exported" "off"
sample parentbased_traceidratio 1 "on ot=th:0 exported ot=th:0" "on exported" "off"
sample parentbased_traceidratio 0 "off" "on exported" "off"
# A quarter: those that are kept are those whose trace id says so, the threshold is with them, and the flag on the wire agrees.
: >"$spans"
traced sender env OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.25 curl -s -o /dev/null "http://127.0.0.1:$echo_server/quarter?[1-200]"
awk -F'|' '$1 ~ /^\/quarter/ && $2 == "traceparent" {split($3, t, "-"); print (substr(t[2], 19) >= "c0000000000000" ? "keep" : "drop"), t[4] ~ /[13]$/ ? "on" : "off"}' \
	"$work/headers" | sort | uniq -c >"$work/quarter"
expect "a quarter: trace ids and flags agree" "drop off keep on" "$(awk '{print $2, $3}' "$work/quarter" | xargs)"
expect "a quarter: exported are those, with their threshold" "$(awk '/keep/ {print $1}' "$work/quarter") ot=th:c" \
	"$(flat "$spans" | jq -r .state | sort | uniq -c | xargs)"
traced sender env OTEL_SDK_DISABLED=true curl -s -o /dev/null "http://127.0.0.1:$echo_server/disabled"
expect "a disabled SDK makes no context" "" "$(sent /disabled traceparent)"
traced sender env TAGALONG_DISABLED=true TRACEPARENT="$tp" curl -s -o /dev/null "http://127.0.0.1:$echo_server/inert"
expect "switched off is off" "" "$(sent /inert traceparent)"
TRACEPARENT=$tp TRACESTATE=a=b BAGGAGE=k=v traced sender curl -s -o /dev/null "http://127.0.0.1:$echo_server/env"
expect "the environment's context is the parent" "00-$T" "$(sent /env traceparent | cut -c1-35)"
expect "with its state" "a=b" "$(sent /env tracestate)"
expect "and its baggage" "k=v" "$(sent /env baggage)"
traced sender env OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=1 curl -s -o /dev/null "http://127.0.0.1:$echo_server/ratio"
expect "the ratio sampler says so in tracestate" "ot=th:0" "$(sent /ratio tracestate)"
finish
