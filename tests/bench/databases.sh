# Sourced by run.sh: databases' own load programs as the traced clients of servers that know nothing of us, the bare one and the
# traced one in turns of about a second, each with its exporter on one processor, the servers on the others. The rate is what the
# program itself says, without the time it takes to start and to connect.
have valgrind || echo "instructions a query left out: valgrind is not installed"

# db_run NAME COUNT COMMAND...: COMMAND asks COUNT times; adds "rate us_of_cpu_per_query" to NAME.
db_run() {
	local name=$1 count=$2 rate
	shift 2
	local TIMEFORMAT='%U %S'
	rm -f "$work/slap.csv" # it would append
	{ time "${of_service[@]}" "$@" >"$work/db.out" 2>"$work/db.err"; } 2>"$work/db.cpu"
	rate=$("$db_rate" <"$work/db.out")
	# What it calls an error itself; of pgbench's transactions 0 have failed.
	! grep -iE "error|failed" "$work/db.out" "$work/db.err" | grep -vqF "0 (0.000%)" && [ -n "$rate" ] || { echo "$1 did not work: $(tail -n 1 "$work/db.err")" >&2; return 1; }
	echo "$rate $(awk -v n="$count" '{printf "%.3f", ($1 + $2) * 1e6 / n}' "$work/db.cpu")" >>"$work/$name"
}
rate_pgbench() { awk '/^tps/ {printf "%.0f", $3}'; }
rate_redis() { awk -F'"' '/GET/ {print $4}'; }
rate_mysqlslap() { awk -F, '$3 > 0 {printf "%.0f", $6 * $7 / $3}' "$work/slap.csv"; }

# db_pairs TITLE BUDGET COUNT COMMAND...: the command takes the number of queries as its last word.
db_pairs() {
	local title=$1 budget=$2 count=$3 i middle spread
	shift 3
	rm -f "$work"/d.*
	for i in $(seq $((scale == 1 ? 16 : 4))); do
		[ $((i % 2)) = 1 ] && { db_run d.bare "$count" "$@" "$count" || return; }
		db_run d.with "$count" env $(traced) OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/d.counters" "$@" "$count" || return
		[ $((i % 2)) = 0 ] && { db_run d.bare "$count" "$@" "$count" || return; }
	done
	read -r middle spread < <(ratio d 2 1)
	row "$title, queries/s" "$(cut -d' ' -f1 "$work/d.bare" | median)" "$(cut -d' ' -f1 "$work/d.with" | median)" "x $middle" "$budget  $spread"
	read -r middle spread < <(ratio d 2 2)
	row "  CPU per query, us (client and exporter)" "$(cut -d' ' -f2 "$work/d.bare" | median)" "$(cut -d' ' -f2 "$work/d.with" | median)" \
		"x $middle" "$spread"
	row "  spans that found the queue full, %" 0 "$(db_dropped "$work/d.counters")" "" "(none of them was exported)"
}
db_dropped() { # file of counters, a line a process at its end: what they say together
	/usr/bin/python3 - "$1" <<-'EOS'
	import json, sys
	began = full = 0
	for line in open(sys.argv[1]):
	    for metric in json.loads(line)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
	        for point in metric.get("sum", {}).get("dataPoints", []):
	            if metric["name"] == "otel.sdk.processor.span.processed":
	                count = int(point["asInt"])
	                began += count
	                full += count * any(a["value"].get("stringValue") == "queue_full" for a in point["attributes"])
	print("%.1f" % (100 * full / began) if began else "no span")
	EOS
}
# db_instructions COMMAND...: the same on one connection: what a longer run costs more, without exporter.
db_instructions() {
	have valgrind || return
	local few=200 many=2200 bare with
	bare=$(($(instructions "$@" $many) - $(instructions "$@" $few)))
	with=$(($(db_counted "$@" $many) - $(db_counted "$@" $few)))
	row "  one connection: instructions a query (no exporter)" "$(calc %.0f "$bare / ($many - $few)")" "$(calc %.0f "$with / ($many - $few)")" \
		"$(calc %+.0f "($with - $bare) / ($many - $few)")" ""
}
db_counted() { # command...: instructions, with us
	OTEL_TRACES_EXPORTER=none preloaded valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | awk '/Collected/ {print $4}'
}
db_stop() { # signal: the server that was started last
	kill -"$1" "${pids[-1]}" && wait "${pids[-1]}" 2>/dev/null
	unset 'pids[-1]'
}

# --- PostgreSQL ------------------------------------------------------------------------------------------------------
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
pg_figures() {
	local -x PGPORT PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable PGHOST=$work/pg
	unset PGSERVICE PGPASSWORD PGOPTIONS PGAPPNAME
	local as_server=() # it does not run as root
	PGPORT=$(free_port)
	mkdir -p "$work/pg/data"
	if [ "$(id -u)" = 0 ]; then
		as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
		chown -R postgres "$work/pg"
	fi
	"${as_server[@]}" "$pg_bin/initdb" -D "$work/pg/data" -U postgres -A trust -N -E UTF8 --no-locale >"$work/pg.log" 2>&1
	"${of_others[@]}" "${as_server[@]}" "$pg_bin/postgres" -D "$work/pg/data" -p "$PGPORT" -h 127.0.0.1 -k "$work/pg" -F >>"$work/pg.log" 2>&1 &
	pids+=($!)
	for _ in $(seq 200); do "$pg_bin/pg_isready" -q && break; sleep 0.05; done
	if "$pg_bin/pgbench" -i -q >>"$work/pg.log" 2>&1; then
		# The program itself: what is in /usr/bin is a script that looks for it.
		db_pairs "pgbench -S, prepared, unix socket" ">= 0.97" $((20000 / scale)) "$pg_bin/pgbench" -n -S -M prepared -t
		db_instructions "$pg_bin/pgbench" -n -S -M prepared -t
		PGHOST=127.0.0.1
		db_pairs "pgbench -S, prepared, TCP" ">= 0.97" $((20000 / scale)) "$pg_bin/pgbench" -n -S -M prepared -t
		db_instructions "$pg_bin/pgbench" -n -S -M prepared -t
	else
		echo "pgbench figures left out: $(tail -n 1 "$work/pg.log")"
	fi
	db_stop INT
}
if [ -x "$pg_bin/postgres" ] && [ -x "$pg_bin/pgbench" ]; then
	db_rate=rate_pgbench
	pg_figures
else
	echo "pgbench figures left out: postgresql is not installed"
fi

# --- MariaDB, MySQL --------------------------------------------------------------------------------------------------
slap_figures() {
	local port socket=$work/my.sock
	port=$(free_port)
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/my" --auth-root-authentication-method=normal --skip-test-db \
		>"$work/my.log" 2>&1
	"${of_others[@]}" "$mariadbd" --no-defaults --user="$(id -un)" --datadir="$work/my" --socket="$socket" --port="$port" --bind-address=127.0.0.1 \
		--pid-file="$work/my.pid" --skip-name-resolve --innodb-buffer-pool-size=32M >>"$work/my.log" 2>&1 &
	pids+=($!)
	wait_port "$port"
	if mariadb --no-defaults -uroot -S "$socket" -e "create database d1; create table d1.t(id int primary key, v text);
		insert into d1.t values (1, 'one'), (2, 'two')" 2>>"$work/my.log"; then
		slap "unix socket" "$socket" localhost
		slap TCP "$socket" 127.0.0.1
	else
		echo "mysqlslap figures left out: $(tail -n 1 "$work/my.log")"
	fi
	db_stop TERM
}
slap() { # title socket host
	local command=(mysqlslap --no-defaults -uroot -S "$2" -h "$3" -P "$port" --create-schema=d1 --no-drop --csv="$work/slap.csv"
		--query='select v from t where id = 2' --number-of-queries)
	[ "$3" = localhost ] || command=("${command[0]}" --no-defaults --protocol=tcp "${command[@]:2}")
	db_pairs "mysqlslap, a select by key, $1" "" $((10000 / scale)) "${command[@]}"
	db_instructions "${command[@]}"
}
mariadbd=$(PATH=$PATH:/usr/sbin command -v mariadbd)
if [ -n "$mariadbd" ] && have mariadb-install-db && have mysqlslap; then
	db_rate=rate_mysqlslap
	slap_figures
else
	echo "mysqlslap figures left out: mariadb-server or mariadb-client is not installed"
fi

# --- Redis -----------------------------------------------------------------------------------------------------------
redis_figures() {
	local port
	port=$(free_port)
	"${of_others[@]}" redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >"$work/redis.log" 2>&1 &
	pids+=($!)
	if wait_port "$port"; then
		db_pairs "redis-benchmark GET, 50 connections, -P 1" ">= 0.90" $((50000 / scale)) redis-benchmark -p "$port" -t get --csv -P 1 -n
		db_instructions redis-benchmark -p "$port" -t get --csv -c 1 -P 1 -n
		db_pairs "redis-benchmark GET, 50 connections, -P 16" "" $((800000 / scale)) redis-benchmark -p "$port" -t get --csv -P 16 -n
		db_instructions redis-benchmark -p "$port" -t get --csv -c 1 -P 16 -n
	else
		echo "redis-benchmark figures left out: $(tail -n 1 "$work/redis.log")"
	fi
	db_stop TERM
}
if have redis-server && have redis-benchmark; then
	db_rate=rate_redis
	redis_figures
else
	echo "redis-benchmark figures left out: redis is not installed"
fi
