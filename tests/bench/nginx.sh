# Sourced by run.sh: nginx, bare and traced in turns.
#
# Where there are processors enough, nginx (its worker, and with it the exporter's thread) has one to itself, and the load and
# the receiver share the others. Both servers are up all the time, and under load in turns of a second, now the one first and now
# the other: what a machine does besides falls upon both. An idle server takes nothing: we wake up no process.
others=
if [ "$(nproc)" -ge 2 ] && have taskset; then
	cpus=$(taskset -cp $$ | sed 's/.*: *//')
	first=${cpus%%[-,]*}
	others=$(taskset -cp $$ | sed 's/.*: *//' | awk -F, '{for (i = 1; i <= NF; i++) {n = split($i, r, "-"); for (c = r[1]; c <= r[n]; c++) if (k++) printf "%s%d", s++ ? "," : "", c}}')
fi
of_service=() # arrays, for what is started in the background: of a function, $! would be a shell's pid
[ -n "$others" ] && of_service=(taskset -c "$first")
of_others=()
[ -n "$others" ] && of_others=(taskset -c "$others")

cpu_of() { # PID...: "us of all its threads, us of those called tagalong"
	local pid
	for pid in "$@"; do
		grep -sH . /proc/"$pid"/task/*/comm /proc/"$pid"/task/*/schedstat
	done | awk -F: '/comm:/ {split($1, p, "/"); name[p[5]] = $2} /schedstat:/ {split($1, p, "/"); split($2, v, " "); ns[p[5]] = v[1]}
		END {for (t in ns) {all += ns[t]; if (name[t] == "tagalong") own += ns[t]} printf "%.0f %.0f\n", all / 1000, own / 1000}'
}
nginx_conf() { # dir port sendfile upstream
	mkdir -p "$1/html" "$1/tmp"
	chmod 755 "$1"
	head -c 1024 /dev/zero | tr '\0' x >"$1/html/1k"
	head -c 102400 /dev/zero | tr '\0' x >"$1/html/100k"
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
nginx_up() { # dir conf-function-arguments...: the server of $dir/nginx.conf; its master's pid in $master
	local dir=$1 port=$2
	shift 2
	: >"$dir/stats"
	chmod 666 "$dir/stats" # the worker gives up root
	"${of_service[@]}" env TAGALONG_STATS="$dir/stats" "$@" nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	master=$!
	pids+=("$master")
	wait_port "$port" || { echo "nginx did not start: $(tail -n 1 "$dir/error.log")" >&2; return 1; }
}
traced() { echo LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="$endpoint" OTEL_METRICS_EXPORTER=none; }
load_wrk() { # url connections options-of-wrk...: "requests requests/s"
	local url=$1 connections=$2
	shift 2
	"${of_others[@]}" wrk -t1 -c"$connections" -d1 "$@" "$url" | tee "$work/wrk" | awk '/requests in/ {n = $1} /Requests\/sec/ {print n, $2}'
	grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2
}
turn() { # name port masters: adds "requests/s us_per_request us_of_the_exporter" to name
	local before own_before after own_after requests rate
	read -r before own_before < <(cpu_of $(for pid in $3; do pgrep -P "$pid"; done))
	read -r requests rate < <(load "$2")
	sleep 0.1
	read -r after own_after < <(cpu_of $(for pid in $3; do pgrep -P "$pid"; done))
	echo "$rate $(calc '%.3f %.3f' "($after - $before) / $requests, ($own_after - $own_before) / $requests")" >>"$work/$1"
}
column() { cut -d' ' -f"$2" "$work/$1" | median; }
ratio() { # files columns column: "median [quarter..quarter]" of with over bare, turn by turn
	paste -d' ' "$work/$1.bare" "$work/$1.with" | awk -v n="$2" -v c="$3" '{print $(c + n) / $c}' | sort -n |
		awk '{v[NR] = $1} END {m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2;
			printf "%.3f [%.2f..%.2f]\n", m, v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)]}'
}
turns() { # title budget-of-requests/s budget-of-CPU bare-port bare-masters traced-port traced-masters; `load PORT` is what asks
	local i middle spread
	rm -f "$work"/n.*
	load "$4" >/dev/null # to be warm
	load "$6" >/dev/null
	sleep 0.3
	for i in $(seq $((scale == 1 ? 16 : 4))); do
		[ $((i % 2)) = 1 ] && turn n.bare "$4" "$5"
		turn n.with "$6" "$7"
		[ $((i % 2)) = 0 ] && turn n.bare "$4" "$5"
	done
	kill $5 $7
	wait $5 $7 2>/dev/null
	read -r middle spread < <(ratio n 3 1)
	row "nginx, $1, requests/s" "$(column n.bare 1)" "$(column n.with 1)" "x $middle" "$2  $spread"
	read -r middle spread < <(ratio n 3 2)
	row "  CPU per request, us, exporter counted" "$(column n.bare 2)" "$(column n.with 2)" "x $middle" "$3  $spread"
}
nginx_pair() { # title sendfile upstream budget-of-requests/s budget-of-CPU env...
	local title=$1 rate_budget=$4 cpu_budget=$5 bare with ports=("$(free_port)" "$(free_port)") dirs=() i
	for i in 0 1; do
		dirs+=("$(mktemp -d "$work/ngx.XXXX")")
		nginx_conf "${dirs[i]}" "${ports[i]}" "$2" "$3"
	done
	shift 5
	nginx_up "${dirs[0]}" "${ports[0]}" || return
	bare=$master
	nginx_up "${dirs[1]}" "${ports[1]}" $(traced) "$@" || return
	with=$master
	load() { load_wrk "http://127.0.0.1:$1/1k" 32; }
	turns "$title" "$rate_budget" "$cpu_budget" "${ports[0]}" "$bare" "${ports[1]}" "$with"
	row "  of it the exporter's thread, us; spans lost" 0 "$(column n.with 3)" \
		"$(tr ' ' '\n' <"${dirs[1]}/stats" | awk -F= '/^(dropped|failed)=/ {n += $2} END {print n + 0}') lost" "0 lost"
}
if have nginx && have wrk; then
	if [ -n "$others" ]; then
		[ "${#pids[@]}" -gt 0 ] && taskset -cp "$others" "${pids[0]}" >/dev/null # the receiver
		echo "nginx and its exporter: CPU $first; load, receiver, servers behind: CPU $others. Median of the turns [first..third quarter]"
	else
		echo "nginx, its exporter, load and receiver share $(nproc) CPU. Median of the turns [first..third quarter]"
	fi
	nginx_pair "1 KB, sendfile on, 100 %" on "" ">= 0.98" "<= 1.06"
	nginx_pair "1 KB, sendfile off, 100 %" off "" ">= 0.98" "<= 1.06"
	nginx_pair "1 KB, sendfile on, 1 %" on "" ">= 0.995" "" OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.01
	nginx_pair "1 KB, sendfile on, exporter none" on "" "" "" OTEL_TRACES_EXPORTER=none
	nginx_pair "1 KB, TAGALONG_DISABLED" on "" "" "" TAGALONG_DISABLED=true
	port=$(free_port) dir=$(mktemp -d "$work/up.XXXX")
	nginx_conf "$dir" "$port" on ""
	"${of_others[@]}" nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	pids+=($!)
	wait_port "$port" && nginx_pair "proxy to bare nginx, 100 %" on "$port" ">= 0.98" ""
else
	echo "nginx figures left out: nginx or wrk is not installed"
fi
