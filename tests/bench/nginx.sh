# Sourced by run.sh: nginx, bare and traced in turns.
#
# Where there are processors enough, nginx (its worker, and with it the exporter's thread) has one to itself, and the load and
# the receiver share the others: then requests/s say what a request costs altogether. What judges is the CPU per request of
# nginx' processes, exporter counted: it does not depend on who had to wait for whom.
others=
if [ "$(nproc)" -ge 2 ] && have taskset; then
	cpus=$(taskset -cp $$ | sed 's/.*: *//')
	first=${cpus%%[-,]*}
	others=$(taskset -cp $$ | sed 's/.*: *//' | awk -F, '{for (i = 1; i <= NF; i++) {n = split($i, r, "-"); for (c = r[1]; c <= r[n]; c++) if (k++) printf "%s%d", s++ ? "," : "", c}}')
fi
of_service() { if [ -n "$others" ]; then taskset -c "$first" "$@"; else "$@"; fi; }
of_others() { if [ -n "$others" ]; then taskset -c "$others" "$@"; else "$@"; fi; }

cpu_of() { # PID...: "us of all its threads, us of those called tagalong"
	local pid
	for pid in "$@"; do
		grep -sH . /proc/"$pid"/task/*/comm /proc/"$pid"/task/*/schedstat
	done | awk -F: '/comm:/ {split($1, p, "/"); name[p[5]] = $2} /schedstat:/ {split($1, p, "/"); split($2, v, " "); ns[p[5]] = v[1]}
		END {for (t in ns) {all += ns[t]; if (name[t] == "tagalong") own += ns[t]} printf "%.0f %.0f\n", all / 1000, own / 1000}'
}
cpu_ms() { # of the children of process $1, in ms
	local all
	read -r all _ < <(cpu_of $(pgrep -P "$1"))
	echo $((all / 1000))
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
nginx_run() { # name sendfile upstream env...: adds "rps us_per_request us_of_the_exporter requests spans_lost" to name
	local name=$1 sendfile=$2 upstream=$3 port dir before own_before after own_after requests rps lost
	shift 3
	port=$(free_port) dir=$(mktemp -d "$work/ngx.XXXX")
	nginx_conf "$dir" "$port" "$sendfile" "$upstream"
	: >"$dir/stats"
	chmod 666 "$dir/stats" # the worker gives up root
	if [ -n "$others" ]; then set -- "$@" taskset -c "$first"; fi
	env TAGALONG_STATS="$dir/stats" "$@" nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	local master=$!
	pids+=("$master")
	wait_port "$port" || { echo "nginx did not start" >&2; return; }
	of_others wrk -t1 -c32 -d1 "http://127.0.0.1:$port/1k" >/dev/null # to be warm
	sleep 0.3
	read -r before own_before < <(cpu_of $(pgrep -P "$master"))
	of_others wrk -t1 -c32 -d$((scale == 1 ? 6 : 2)) "http://127.0.0.1:$port/1k" >"$dir/wrk"
	sleep 0.5 # the exporter's rest
	read -r after own_after < <(cpu_of $(pgrep -P "$master"))
	requests=$(awk '/requests in/ {print $1}' "$dir/wrk")
	rps=$(awk '/Requests\/sec/ {print $2}' "$dir/wrk")
	grep -E 'Socket errors|Non-2xx' "$dir/wrk" >&2
	kill "$master"; wait "$master" 2>/dev/null
	lost=$(tr ' ' '\n' <"$dir/stats" | awk -F= '/^(dropped|failed)=/ {n += $2} END {print n + 0}')
	echo "$rps $(calc '%.3f %.3f' "($after - $before) / $requests, ($own_after - $own_before) / $requests") $requests $lost" >>"$work/$name"
}
column() { cut -d' ' -f"$2" "$work/$1" | median; }
ratio() { # column: "median [least..most]" of with over bare, pair by pair
	paste -d' ' "$work/n.bare" "$work/n.with" | awk -v c="$1" '{print $(c + 5) / $c}' | sort -n |
		awk '{v[NR] = $1} END {m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf "%.3f [%.2f..%.2f]\n", m, v[1], v[NR]}'
}
nginx_pairs() { # title sendfile upstream budget-of-throughput budget-of-CPU env...
	local title=$1 sendfile=$2 upstream=$3 rate_budget=$4 cpu_budget=$5 i middle spread
	shift 5
	rm -f "$work"/n.*
	for i in 1 2 3 4 5; do # now the one first, now the other
		[ $((i % 2)) = 1 ] && nginx_run n.bare "$sendfile" "$upstream" X=1
		nginx_run n.with "$sendfile" "$upstream" LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="$endpoint" OTEL_METRICS_EXPORTER=none "$@"
		[ $((i % 2)) = 0 ] && nginx_run n.bare "$sendfile" "$upstream" X=1
	done
	read -r middle spread < <(ratio 1)
	row "nginx $title, requests/s" "$(column n.bare 1)" "$(column n.with 1)" "x $middle" "$rate_budget  $spread"
	read -r middle spread < <(ratio 2)
	row "  CPU per request, us, exporter counted, over bare" "$(column n.bare 2)" "$(column n.with 2)" "x $middle" "$cpu_budget  $spread"
	row "  of it the exporter's thread, us; spans lost" 0 "$(column n.with 3)" "$(awk '{n += $5} END {print n}' "$work/n.with") lost" "0 lost"
}
if have nginx && have wrk; then
	if [ -n "$others" ]; then
		[ "${#pids[@]}" -gt 0 ] && taskset -cp "$others" "${pids[0]}" >/dev/null # the receiver
		echo "nginx and its exporter: CPU $first; load, receiver, servers behind: CPU $others. [least..most] of five pairs; CPU per request is what judges"
	else
		echo "nginx, its exporter, load and receiver share $(nproc) CPU. [least..most] of five pairs; CPU per request is what judges"
	fi
	nginx_pairs "1 KB, sendfile on, 100 %" on "" ">= 0.98" "<= 1.06"
	nginx_pairs "1 KB, sendfile off, 100 %" off "" ">= 0.98" "<= 1.06"
	nginx_pairs "1 KB, sendfile on, 1 %" on "" ">= 0.995" "" OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.01
	nginx_pairs "1 KB, sendfile on, exporter none" on "" "" "" OTEL_TRACES_EXPORTER=none
	nginx_pairs "1 KB, TAGALONG_DISABLED" on "" "" "" TAGALONG_DISABLED=true
	port=$(free_port) dir=$(mktemp -d "$work/up.XXXX")
	nginx_conf "$dir" "$port" on ""
	of_others nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	pids+=($!)
	wait_port "$port" && nginx_pairs "proxy to bare nginx, 100 %" on "$port" ">= 0.98" ""
	[ -n "$others" ] && taskset -cp "$first,$others" "${pids[0]}" >/dev/null
else
	echo "nginx figures left out: nginx or wrk is not installed"
fi
