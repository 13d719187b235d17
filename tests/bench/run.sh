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
row "  out of it: to a file" 0 "$(column=2 exported OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=/dev/null)" "" ""
if have valgrind; then
	n=2000
	count() { awk '/Collected/ {print $4}'; }
	export_instructions() { # environment...: of the exporter's thread, a span (zeroing the ring counts one a byte)
		local spans=16384
		valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$work/cg" "$build/bench/bench_export" "$endpoint" $spans "$@" >/dev/null 2>&1
		calc %.0f "$(awk '/^totals:/ {print $2}' "$work/cg-02") / $spans"
		rm -f "$work"/cg*
	}
	row "  out of it, instructions: http/protobuf" 0 "$(export_instructions)" "" ""
	row "  out of it, instructions: with gzip" 0 "$(export_instructions OTEL_EXPORTER_OTLP_COMPRESSION=gzip)" "" ""
	row "  out of it, instructions: to a file" 0 "$(export_instructions OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=/dev/null)" "" ""
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

. "$top/tests/bench/nginx.sh"
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
