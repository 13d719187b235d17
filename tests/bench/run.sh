#!/usr/bin/env bash
# make bench: what we cost, with the bare program beside it in the same run, in turns; budgets of the design beside each
# figure. Prints a table; judges nothing by its exit status (speed has no place in a timed test). QUICK=1 for a tenth.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
lib=$build/libtagalong.so
work=$(mktemp -d)
chmod 755 "$work" # servers give up root
pids=()
cleanup() {
	for pid in "${pids[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
scale=${QUICK:+10}
scale=${scale:-1}
export OTEL_SERVICE_NAME=bench

row() { printf '%-58s %12s %12s %12s   %s\n' "$@"; }
median() { sort -n | awk '{v[NR]=$1} END {print NR % 2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
calc() { awk "BEGIN {printf \"$1\", $2}"; }
have() { command -v "$1" >/dev/null 2>&1; }
free_port() { /usr/bin/python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
wait_port() { for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/"$1") 2>/dev/null && return 0; sleep 0.05; done; return 1; }

"$build/support/sink" --port-file "$work/sink.port" --out /dev/null --discard yes >"$work/sink.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -s "$work/sink.port" ] && break; sleep 0.05; done
endpoint=http://127.0.0.1:$(cat "$work/sink.port")
# In the background it becomes the program itself: $! is the program's, and so are its children.
preloaded() {
	local become=
	[ "$BASHPID" != $$ ] && become=exec
	$become env LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="$endpoint" OTEL_METRICS_EXPORTER=none "$@"
}

row "what" bare with difference budget
row "----" ---- ---- ---------- ------

# --- one hook on a descriptor that is no socket -------------------------------------------------------------
for _ in 1 2 3 4 5; do
	"$build/bench/bench_untracked" $((2000000 / scale)) >>"$work/u.bare"
	preloaded "$build/bench/bench_untracked" $((2000000 / scale)) >>"$work/u.with"
done
a=$(median <"$work/u.bare") b=$(median <"$work/u.with")
row "untracked read/write, ns a call" "$a" "$b" "$(calc %+.2f "$b - $a")" "<= 5"

instructions() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | awk '/Collected/ {print $4}'; }
if have valgrind; then
	n=20000
	z1=$(instructions "$build/bench/bench_untracked" 0) b1=$(instructions "$build/bench/bench_untracked" $n)
	z2=$(preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_untracked" 0 2>&1 >/dev/null | awk '/Collected/ {print $4}')
	b2=$(preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_untracked" $n 2>&1 >/dev/null | awk '/Collected/ {print $4}')
	a=$(calc %.1f "($b1 - $z1) / $n / 2") b=$(calc %.1f "($b2 - $z2) / $n / 2")
	row "untracked read/write, instructions a call" "$a" "$b" "$(calc %+.1f "$b - $a")" ""
fi

. "$top/tests/bench/waits.sh"

# --- one request pair --------------------------------------------------------------------------------------
for _ in 1 2 3 4 5; do
	"$build/bench/bench_pair" $((200000 / scale)) | cut -d' ' -f1 >>"$work/p.bare"
	preloaded "$build/bench/bench_pair" $((200000 / scale)) pause >"$work/p"
	cut -d' ' -f1 "$work/p" >>"$work/p.with"
	cut -d' ' -f2 "$work/p" >>"$work/p.export"
	preloaded env OTEL_TRACES_SAMPLER=always_off "$build/bench/bench_pair" $((200000 / scale)) | cut -d' ' -f1 >>"$work/p.off"
done
a=$(median <"$work/p.bare") b=$(median <"$work/p.with") c=$(median <"$work/p.off")
row "HTTP/1 server pair, ns of CPU in the request path" "$a" "$b" "$(calc %+.0f "$b - $a")" "<= 400"
row "  the same, not sampled" "$a" "$c" "$(calc %+.0f "$c - $a")" ""
row "export, ns of CPU a span (http/protobuf)" 0 "$(median <"$work/p.export")" "" "<= 300"
exported() { # environment...: the queue and the exporter alone
	for _ in 1 2 3; do "$build/bench/bench_export" "$endpoint" $((200000 / scale)) "$@" 2>/dev/null >>"$work/e"; done
	cut -d' ' -f"$column" "$work/e" | median
	rm "$work/e"
}
row "  a span of 440 bytes into the queue, ns" 0 "$(column=1 exported)" "" "<= 60"
row "  out of it: http/protobuf, ns of CPU" 0 "$(column=2 exported)" "" "<= 300"
row "  out of it: with gzip" 0 "$(column=2 exported OTEL_EXPORTER_OTLP_COMPRESSION=gzip)" "" ""
row "  out of it: http/json" 0 "$(column=2 exported OTEL_EXPORTER_OTLP_PROTOCOL=http/json)" "" ""
if have valgrind; then
	n=2000
	count() { awk '/Collected/ {print $4}'; }
	z1=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_pair" 100 2>&1 >/dev/null | count)
	b1=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_pair" $((n + 100)) 2>&1 >/dev/null | count)
	z2=$(OTEL_TRACES_EXPORTER=none preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_pair" 100 2>&1 >/dev/null | count)
	b2=$(OTEL_TRACES_EXPORTER=none preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_pair" $((n + 100)) 2>&1 >/dev/null | count)
	a=$(calc %.0f "($b1 - $z1) / $n / 1.1") b=$(calc %.0f "($b2 - $z2) / $n / 1.1")
	row "  the same, instructions (no exporter)" "$a" "$b" "$(calc %+.0f "$b - $a")" ""
fi

# --- start of /bin/true --------------------------------------------------------------------------------------
read -r a b < <("$build/bench/bench_spawn" $((1000 / scale)) "$lib" /bin/true)
row "/bin/true, us from spawn to end" "$a" "$b" "$(calc %+.0f "$b - $a")" "<= 300"

# --- nginx ---------------------------------------------------------------------------------------------------
cpu_ms() { # of nginx's worker behind master $1, in ms
	local total=0 t
	for child in $(pgrep -P "$1"); do
		t=$(awk '{print $14 + $15}' "/proc/$child/stat" 2>/dev/null) && total=$((total + t))
	done
	echo $((total * 10))
}
nginx_conf() { # dir port sendfile upstream
	mkdir -p "$1/html" "$1/tmp"
	chmod 755 "$1"
	head -c 1024 /dev/zero | tr '\0' x >"$1/html/1k"
	local location='root html;'
	[ -n "$4" ] && location="proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\";"
	cat >"$1/nginx.conf" <<-EOF
	worker_processes 1; pid nginx.pid; error_log error.log; daemon off;
	events { worker_connections 1024; }
	http { access_log off; sendfile $3; keepalive_requests 100000000; tcp_nodelay on;
	client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
	${4:+upstream up { server 127.0.0.1:$4; keepalive 64; keepalive_requests 100000000; \}}
	server { listen 127.0.0.1:$2; location / { $location } } }
	EOF
}
nginx_run() { # name sendfile upstream env...: adds "rps us_per_request" to name
	local name=$1 sendfile=$2 upstream=$3 port dir before after requests rps
	shift 3
	port=$(free_port) dir=$(mktemp -d "$work/ngx.XXXX")
	nginx_conf "$dir" "$port" "$sendfile" "$upstream"
	env "$@" nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	local master=$!
	pids+=("$master")
	wait_port "$port" || { echo "nginx did not start" >&2; return; }
	wrk -t1 -c32 -d0.5 "http://127.0.0.1:$port/1k" >/dev/null
	before=$(cpu_ms $master)
	wrk -t1 -c32 -d$((scale == 1 ? 6 : 2)) "http://127.0.0.1:$port/1k" >"$dir/wrk"
	sleep 0.3
	after=$(cpu_ms $master)
	requests=$(awk '/requests in/ {print $1}' "$dir/wrk")
	rps=$(awk '/Requests\/sec/ {print $2}' "$dir/wrk")
	grep -E 'Socket errors|Non-2xx' "$dir/wrk" >&2
	echo "$rps $(calc %.3f "($after - $before) * 1000 / $requests")" >>"$work/$name"
	kill "$master"; wait "$master" 2>/dev/null
}
nginx_pairs() { # title sendfile upstream budget env...
	local title=$1 sendfile=$2 upstream=$3 budget=$4
	shift 4
	rm -f "$work"/n.*
	for _ in 1 2 3 4 5; do
		nginx_run n.bare "$sendfile" "$upstream" X=1
		nginx_run n.with "$sendfile" "$upstream" LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="$endpoint" OTEL_METRICS_EXPORTER=none "$@"
	done
	local ratio cpu
	ratio=$(paste "$work/n.bare" "$work/n.with" | awk '{print $3 / $1}' | median)
	cpu=$(paste "$work/n.bare" "$work/n.with" | awk '{print $4 / $2}' | median)
	row "nginx $title, requests/s" "$(cut -d' ' -f1 "$work/n.bare" | median)" "$(cut -d' ' -f1 "$work/n.with" | median)" "x $(calc %.3f "$ratio")" "$budget"
	row "  CPU per request, us (worker and exporter)" "$(cut -d' ' -f2 "$work/n.bare" | median)" "$(cut -d' ' -f2 "$work/n.with" | median)" "x $(calc %.3f "$cpu")" "${5:+}<= 1.06 at 100 %"
}
if have nginx && have wrk; then
	nginx_pairs "1 KB, sendfile on, 100 %" on "" ">= 0.98"
	nginx_pairs "1 KB, sendfile off, 100 %" off "" ">= 0.98"
	nginx_pairs "1 KB, sendfile on, 1 %" on "" ">= 0.995" OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.01
	nginx_pairs "1 KB, sendfile on, exporter none" on "" "" OTEL_TRACES_EXPORTER=none
	nginx_pairs "1 KB, TAGALONG_DISABLED" on "" "" TAGALONG_DISABLED=true
	port=$(free_port) dir=$(mktemp -d "$work/up.XXXX")
	nginx_conf "$dir" "$port" on ""
	nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	pids+=($!)
	wait_port "$port" && nginx_pairs "proxy to bare nginx, 100 %" on "$port" ">= 0.98"
else
	echo "nginx figures left out: nginx or wrk is not installed"
fi

. "$top/tests/bench/carriers.sh"

# --- SQLite: what a statement costs ------------------------------------------------------------------------------
if [ -x "$build/bench/bench_sqlite" ]; then
	sqlite_rows() { # title argument budget
		rm -f "$work"/q.*
		for _ in 1 2 3 4 5; do
			"$build/bench/bench_sqlite" $((200000 / scale)) "$2" >>"$work/q.bare"
			preloaded "$build/bench/bench_sqlite" $((200000 / scale)) "$2" >>"$work/q.with"
		done
		for column in 1 2; do
			a=$(cut -d' ' -f$column "$work/q.bare" | median) b=$(cut -d' ' -f$column "$work/q.with" | median)
			row "SQLite $([ $column = 1 ] && echo insert || echo select)$1, ns of CPU" "$a" "$b" "$(calc %+.0f "$b - $a")" "$3"
		done
	}
	sqlite_rows "" prepared "<= 1000"
	sqlite_rows ", prepared anew each time" unprepared ""
	# The two columns: TAGALONG_STACK_THRESHOLD=off, and as it is.
	for _ in 1 2 3; do
		for stacks in off 1000; do
			OTEL_BSP_SCHEDULE_DELAY=100 TAGALONG_STACK_THRESHOLD=$stacks preloaded "$build/bench/bench_sqlite" $((3000 / scale)) failing >>"$work/q.stack$stacks"
		done
	done
	for column in 1 2; do
		a=$(cut -d' ' -f$column "$work/q.stackoff" | median) b=$(cut -d' ' -f$column "$work/q.stack1000" | median)
		row "SQLite, one that fails, without and with its stack, $([ $column = 1 ] && echo "ns of CPU" || echo "exporter and all")" "$a" "$b" "$(calc %+.0f "$b - $a")" ""
	done
	if have valgrind; then
		n=2000
		z1=$(instructions "$build/bench/bench_sqlite" 100) b1=$(instructions "$build/bench/bench_sqlite" $((n + 100)))
		z2=$(OTEL_TRACES_EXPORTER=none preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_sqlite" 100 2>&1 >/dev/null | awk '/Collected/ {print $4}')
		b2=$(OTEL_TRACES_EXPORTER=none preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bench/bench_sqlite" $((n + 100)) 2>&1 >/dev/null | awk '/Collected/ {print $4}')
		a=$(calc %.0f "($b1 - $z1) / $n / 2") b=$(calc %.0f "($b2 - $z2) / $n / 2")
		row "  a statement, instructions (no exporter)" "$a" "$b" "$(calc %+.0f "$b - $a")" ""
	fi
else
	echo "SQLite figures left out: libsqlite3-dev is not installed"
fi

# --- redis: nothing to trace, pure hook cost ---------------------------------------------------------------------
if have redis-server && have redis-benchmark; then
	for _ in 1 2 3 4 5; do
		for mode in bare with; do
			port=$(free_port)
			if [ $mode = with ]; then
				preloaded redis-server --port "$port" --save '' --daemonize no >/dev/null &
			else
				redis-server --port "$port" --save '' --daemonize no >/dev/null &
			fi
			pid=$!
			pids+=("$pid")
			wait_port "$port"
			redis-benchmark -p "$port" -n $((200000 / scale)) -t get -q --csv | awk -F'"' '/GET/ {print $4}' >>"$work/r.$mode"
			kill $pid; wait $pid 2>/dev/null
		done
	done
	row "redis-benchmark GET against redis-server, requests/s" "$(median <"$work/r.bare")" "$(median <"$work/r.with")" "x $(paste "$work/r.bare" "$work/r.with" | awk '{print $2 / $1}' | median)" "(pure hooks)"
else
	echo "redis figures left out: redis is not installed"
fi

. "$top/tests/bench/databases.sh"

# --- memory and wake-ups ---------------------------------------------------------------------------------------------
if have nginx && have wrk; then
	rss() { for child in $(pgrep -P "$1"); do awk '/^Rss:/ {s+=$2} END {print s}' "/proc/$child/smaps_rollup"; done | sort -n | tail -1; }
	switches() { for child in $(pgrep -P "$1"); do for task in /proc/"$child"/task/*; do [ "$(cat "$task/comm")" = tagalong ] && awk '/^voluntary/ {print $2}' "$task/status"; done; done; }
	for mode in bare with; do
		port=$(free_port) dir=$(mktemp -d "$work/ngx.XXXX")
		nginx_conf "$dir" "$port" on ""
		if [ $mode = with ]; then preloaded nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 & else nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 & fi
		master=$!
		pids+=("$master")
		wait_port "$port"
		sleep 0.2
		idle=$(rss $master)
		wrk -t1 -c64 -d$((4 / scale + 1)) "http://127.0.0.1:$port/1k" >/dev/null
		busy=$(rss $master)
		sleep 7
		s1=$(switches $master); sleep 3; s2=$(switches $master)
		eval "idle_$mode=$idle busy_$mode=$busy wakes_$mode=$((${s2:-0} - ${s1:-0}))"
		kill "$master"; wait "$master" 2>/dev/null
	done
	row "nginx worker RSS idle, KiB" "$idle_bare" "$idle_with" "$((idle_with - idle_bare))" "<= 2048"
	row "nginx worker RSS after load, KiB" "$busy_bare" "$busy_with" "$((busy_with - busy_bare))" "<= 8192"
	row "exporter wake-ups in 3 idle seconds" 0 "$wakes_with" "" "0"
fi
