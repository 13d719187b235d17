#!/usr/bin/env bash
# Resource attributes (otel.md 5.13) are what the system itself says of the process, its host and its container.
. "$(dirname "$0")/lib.sh"
need nginx jq /usr/bin/python3
port=$(free_port)
nginx_conf "$work/web" "$port"
background nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1
call="$top/tests/integration/snippets/resource.py"
# resource PID: its attributes, as an object
resource() {
	jq -c --arg pid "$1" '.resourceSpans[].resource.attributes
		| map({key, value: (.value.stringValue // .value.intValue)}) | from_entries | select(.["process.pid"] == $pid)' "$spans" | head -n 1
}
of() { jq -r --arg key "$1" '.[$key] // "-"' <<<"$all"; }

before=$(date -u +%s)
# Nothing but these two: no service name of the user's.
env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" /usr/bin/python3 "$call" "$port" secret-argument >"$work/pids" || bad "the program"
after=$(date -u +%s)
read -r pid child _ <"$work/pids"
all=$(resource "$pid")
exe=$(readlink -f /usr/bin/python3)
expect "service.name" "unknown_service:${exe##*/}" "$(of service.name)"
expect "telemetry.sdk" "tagalong c" "$(of telemetry.sdk.name) $(of telemetry.sdk.language)"
version=$("$build/tagalong" --version | awk '{print $2}')
expect "versions" "$version tagalong $version" "$(of telemetry.sdk.version) $(of telemetry.distro.name) $(of telemetry.distro.version)"
expect "process" "$pid ${exe##*/} $exe /usr/bin/python3 $(id -un)" \
	"$(of process.pid) $(of process.executable.name) $(of process.executable.path) $(of process.command) $(of process.owner)"
created=$(of process.creation.time)
grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$' <<<"$created" || bad "process.creation.time: $created"
# The kernel's count of ticks since boot is rounded, and boot is told to the second.
second=$(date -ud "$created" +%s)
[ "$second" -ge $((before - 2)) ] && [ "$second" -le $((after + 2)) ] || bad "created at $second, of $before to $after"
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(of host.arch) ;; esac
expect "host" "$(uname -n) $arch" "$(of host.name) $(of host.arch)"
expect "host.id" "$(cat /etc/machine-id 2>/dev/null | grep . || cat /var/lib/dbus/machine-id 2>/dev/null | grep . || echo -)" "$(of host.id)"
expect "os" "$(. /etc/os-release; echo "linux|$NAME|${VERSION_ID:--}|$PRETTY_NAME|${BUILD_ID:-$(uname -r)}")" \
	"$(of os.type)|$(of os.name)|$(of os.version)|$(of os.description)|$(of os.build_id)"
expect "no arguments: they may hold secrets" "" "$(grep -o secret-argument "$spans")"
uuid='^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
own=$(of service.instance.id)
all=$(resource "$child")
theirs=$(of service.instance.id)
grep -qE "$uuid" <<<"$own" && grep -qE "$uuid" <<<"$theirs" && [ "$own" != "$theirs" ] || bad "instances: $own, the child's $theirs"

# The user's word counts more than ours.
: >"$spans"
env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" OTEL_SERVICE_NAME=shop TAGALONG_SDK_LANGUAGE=cpp \
	OTEL_RESOURCE_ATTRIBUTES='service.name=other,service.version=1.2,host.name=a%2Cb,deployment.environment.name=test' \
	/usr/bin/python3 "$call" "$port" >"$work/pids"
all=$(resource "$(cut -d' ' -f1 "$work/pids")")
expect "what the user says" "shop 1.2 a,b test cpp" \
	"$(of service.name) $(of service.version) $(of host.name) $(of deployment.environment.name) $(of telemetry.sdk.language)"

# A container is known by what the kernel shows of it: here, by files mounted over those of the process.
id=$(printf 'cafe%.0s' $(seq 16))
echo "0::/system.slice/docker-$id.scope" >"$work/cgroup"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	: >"$spans"
	LIB=$lib SPANS=$spans WORK=$work unshare -m sh -c 'mount --bind "$WORK/cgroup" /proc/$$/cgroup || exit 3
		exec env LD_PRELOAD="$LIB" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$SPANS" /usr/bin/python3 "$0" "$1"' "$call" "$port" >"$work/pids"
	status=$?
	all=$(resource "$(cut -d' ' -f1 "$work/pids")")
	if [ $status = 3 ]; then echo "left out: container.id (no mounts here)"; else expect "container.id" "$id" "$(of container.id)"; fi
else
	echo "left out: container.id (not root, or no mounts here)"
fi
finish
