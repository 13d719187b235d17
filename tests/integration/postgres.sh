#!/usr/bin/env bash
# PostgreSQL's server and everybody's clients: what its own log says it ran has a span, no more and no fewer; errors, names,
# texts, parents; output as without us.
. "$(dirname "$0")/lib.sh"
. "$top/tests/integration/snippets/postgres/server.sh"

# --- libpq from C, each way of asking
if gcc -O1 -w -o "$work/calls" "$here/postgres_calls.c" -I/usr/include/postgresql -lpq 2>/dev/null; then
	for way in tcp unix tls; do
		how="host=127.0.0.1 sslmode=disable" more=""
		case $way in unix) how="host=$work" ;; tls) how="host=127.0.0.1 sslmode=require" ;; tcp) more=many ;; esac
		client "c_$way" "$work/calls" "$how" $more
		expect "c_$way: errors" "22012 x2, 23505 x2, 26000 x1, 3D000 x1, 42703 x1, 57014 x1" "$(errors "c_$way")"
		expect "c_$way: prepared statements by their text" 101 "$(count "c_$way" '.a["db.query.text"] == "SELECT 1 / $1::int" and .code == 0')"
		expect "c_$way: a batch" "BATCH 3" "$(jq -r 'select(.a["db.operation.batch.size"] and .code == 0) | "\(.name) \(.a["db.operation.batch.size"])"' "$work/c_$way.flat" | head -n 1)"
		expect "c_$way: rows" "1 1 2001 5" "$(jq -r 'select(.a["db.query.text"] // "" | test("length|generate_series|TO STDOUT")) |
			.a["db.response.returned_rows"]' "$work/c_$way.flat" | sort | paste -sd' ')"
		expect "c_$way: a warning" 1 "$(count "c_$way" '.a["db.response.status_code"] == "01000" and .code == 0')"
		expect "c_$way: a refused connection" 1 "$(count "c_$way" '.name == "connect nosuch" and .a["error.type"] == "3D000"')"
	done
	expect "20 MB of text, made safe" "SELECT length(?" "$(jq -r '.a["db.query.text"] // "" | select(startswith("SELECT length(?"))' "$work/c_tls.flat")"
	expect "of 10 000 statements the youngest is known" "true" "$(jq -r 'select(.a["db.query.text"] // "" | startswith("SELECT 9999 FROM t")) | .name == "SELECT t"' "$work/c_tcp.flat")"
	expect "a port that is not 5432 is told" "127.0.0.1 $PGPORT" "$(jq -r '"\(.a["server.address"]) \(.a["server.port"])"' "$work/c_tls.flat" | sort -u)"
	expect "a socket's path is the address" "$work/.s.PGSQL.$PGPORT" "$(jq -r 'select(.name != "connect nosuch") | .a["server.address"]' "$work/c_unix.flat" | sort -u)"
else
	echo "left out: no libpq to build a client"
fi

# --- the command line, and load
client psql psql -X -c "select 'secret' as x" -c "select 1; select 2" -c "select nope" -c "\\d" -c "copy (select 1) to stdout"
pgbench -i -q -s 1 >"$work/init.log" 2>&1 || bad "pgbench -i: $(tail -n 1 "$work/init.log")"
printf '%s\n' '\set aid random(1, 100000)' '\startpipeline' 'SELECT abalance FROM pgbench_accounts WHERE aid = :aid;' \
	'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;' 'SELECT 1;' '\endpipeline' >"$work/pipeline.sql"
for mode in simple extended prepared pipeline pipeline_tls_prepared unix_prepared; do
	options=(-M "${mode##*_}") host=$PGHOST ssl=disable
	case $mode in pipeline*) options=(-M extended -f "$work/pipeline.sql") ;; unix*) host=$work ;; esac
	case $mode in *tls_prepared) options=(-M prepared -f "$work/pipeline.sql") ssl=require ;; esac
	from=$(logged)
	: >"$spans"
	PGHOST=$host PGSSLMODE=$ssl traced "bench_$mode" pgbench -n -c 8 -j 2 -t 25 "${options[@]}" >"$work/bench_$mode.out" 2>&1
	expect "pgbench $mode: all done" "200/200" "$(sed -n 's/^number of transactions actually processed: //p' "$work/bench_$mode.out")"
	expect "pgbench $mode: no failures" "0 (0.000%)" "$(sed -n 's/^number of failed transactions: //p' "$work/bench_$mode.out")"
	counted "bench_$mode" "$from"
	expect "pgbench $mode: each update by name" 200 "$(count "bench_$mode" '.name == "UPDATE pgbench_accounts"')"
done

# --- the context as a comment, when it is asked for: in simple queries, each with its own span's id, in no prepared statement
for ssl in disable require; do
	from=$(logged)
	: >"$spans"
	PGSSLMODE=$ssl TAGALONG_SQLCOMMENTER=true traced commented psql -X -c "select 'secret' as x" -c "select 2 -- mine" -c "begin" \
		-c "select 4 ; " -c "create view v_$ssl as select 5" >"$work/commented.out" 2>&1
	PGSSLMODE=$ssl TAGALONG_SQLCOMMENTER=true traced commented pgbench -n -S -M prepared -t 5 >"$work/commented.bench" 2>&1
	wait_spans 12
	tail -c +$((from + 1)) "$log" | grep -a -oP "(statement|execute \S+): \K.*/\*traceparent=.*" >"$work/comments"
	expect "comments, $ssl: in those that read rows" "select 'secret' as x|select 4 ; |select count(*) from pgbench_branches" \
		"$(sed -E "s| /\*traceparent='[0-9a-f-]*'\*/||" "$work/comments" | grep -v pg_partitioned | paste -sd'|')"
	expect "comments, $ssl: each with its span's id" "$(wc -l <"$work/comments")" "$(sed -nE "s/.*'00-([0-9a-f]*)-([0-9a-f]*)-0[0-9]'.*/\1 \2/p" "$work/comments" | sort |
		comm -12 - <(flat "$spans" | jq -r '"\(.trace) \(.span)"' | sort) | wc -l)"
	expect "comments, $ssl: not in what is recorded" 0 "$(grep -c "traceparent=" "$spans")"
done

# --- other people's drivers: tests/integration/snippets/postgres/
drivers=$here/postgres
python=/usr/bin/python3
if $python -c 'import psycopg2' 2>/dev/null; then
	client psycopg2 $python "$drivers/psycopg2_client.py"
	expect "psycopg2: errors" "23505 x1" "$(errors psycopg2)"
	expect "psycopg2: functions by number" 4 "$(count psycopg2 '.a["db.stored_procedure.name"] != null and .a["db.query.text"] == null')"
else
	echo "left out: psycopg2 is not installed"
fi
if $python -c 'import psycopg' 2>/dev/null; then
	for mode in disable require; do
		client "psycopg_$mode" $python "$drivers/psycopg_client.py" sslmode=$mode
		expect "psycopg $mode: errors" "22012 x1, 23505 x2, 57014 x1" "$(errors "psycopg_$mode")"
	done
else
	echo "left out: psycopg is not installed"
fi
if $python -c 'import asyncpg' 2>/dev/null; then
	for mode in plain tls; do
		client "asyncpg_$mode" $python "$drivers/asyncpg_client.py" $mode
		expect "asyncpg $mode: errors" "23505 x1, 42601 x1, 57014 x1" "$(errors "asyncpg_$mode")"
		expect "asyncpg $mode: portals by their statement" 4 "$(count "asyncpg_$mode" '.a["db.query.text"] == "select * from t"')"
		expect "asyncpg $mode: the server" "127.0.0.1 $PGPORT" "$(jq -r '"\(.a["server.address"]) \(.a["server.port"])"' "$work/asyncpg_$mode.flat" | sort -u)"
	done
else
	echo "left out: asyncpg is not installed"
fi
if php -m 2>/dev/null | grep -q pdo_pgsql; then
	client pdo php "$drivers/pdo.php"
	expect "pdo: errors" "23505 x1, 42703 x1" "$(errors pdo)"
else
	echo "left out: php-pgsql is not installed"
fi
if perl -MDBD::Pg -e1 2>/dev/null; then
	client dbi perl "$drivers/dbi.pl"
	expect "dbi: errors" "22012 x1, 23505 x1" "$(errors dbi)"
else
	echo "left out: DBD::Pg is not installed"
fi
jar=/usr/share/java/postgresql.jar
if [ -e "$jar" ] && javac -d "$work" "$drivers/Client.java" 2>/dev/null; then
	client jdbc java -XX:TieredStopAtLevel=1 -cp "$jar:$work" Client
	expect "jdbc: errors" "23505 x1, 42703 x1" "$(errors jdbc)"
	expect "jdbc: inserts, named and not" 21 "$(count jdbc '.a["db.query.text"] == "insert into t values ($1, $2)"')"
else
	echo "left out: libpostgresql-jdbc-java or a Java compiler is not installed"
fi
. "$here/npm.sh"
if node_has pg; then
	for host in 127.0.0.1 "$work"; do
		PGHOST=$host client node node "$drivers/client.js"
		expect "node: errors" "22012 x5, 23505 x1, 42703 x1, 57014 x1" "$(errors node)"
		expect "node: by their text, from a pool and a pipeline" "9 20" "$(count node '.a["db.query.text"] // "" | test("pooled$")') $(count node '.a["db.query.text"] // "" | test("piped$")')"
	done
else
	echo "left out: node's pg: ${npm_lacks:-it is not installed}"
fi

# --- whose call it is: requests of a Python service, one after the other
if $python -c 'import psycopg, psycopg2' 2>/dev/null; then
	web=$(free_port)
	: >"$spans"
	start_traced web $python "$drivers/web.py" "$web"
	wait_port "$web"
	for i in 1 2 3; do expect "the service answers" "done" "$(curl -s "http://127.0.0.1:$web/$i")"; done
	wait_spans 9
	stop_last
	flat "$spans" >"$work/web.flat"
	expect "each request's statements are its children" "SELECT x3, select x3" "$(jq -s -r '(map(select(.kind == 2)) | map({key: .span, value: .trace}) | from_entries) as $requests |
		.[] | select(.kind == 3 and $requests[.parent] == .trace) | .name' "$work/web.flat" | sed 's/^select \$1.*/select/' | sort | uniq -c |
		awk '{ printf "%s%s x%s", (NR > 1 ? ", " : ""), $2, $1 }' | sed 's/^select x6$/SELECT x3, select x3/')"
fi

# --- what goes wrong
: >"$spans"
traced late psql -X -c "set statement_timeout = 100" -c "select pg_sleep(20)" >"$work/late.out" 2>&1
wait_spans 2
expect "out of time" "57014 57014" "$(flat "$spans" | jq -r 'select(.code == 2) | "\(.a["error.type"]) \(.a["db.response.status_code"])"')"

busy() { for _ in $(seq 200); do [ "$(psql -XAtc "select count(*) from pg_stat_activity where query like '%pg_sleep(77)%' and pid <> pg_backend_pid()")" = 1 ] && return; sleep 0.05; done; bad "nobody is asleep"; }
for end in terminated crashed stopped; do
	: >"$spans"
	traced "$end" psql -X -c "select pg_sleep(77)" >"$work/$end.out" 2>&1 &
	asleep=$!
	busy
	backend=$(psql -XAtc "select pid from pg_stat_activity where query = 'select pg_sleep(77)'")
	case $end in
	terminated) psql -XAtqc "select pg_terminate_backend($backend)" >/dev/null ;;
	crashed) kill -9 "$backend" ;;
	stopped) kill -INT "$server" ;; # fast shutdown
	esac
	wait "$asleep"
	wait_spans 1
	flat "$spans" >"$work/$end.flat"
	[ "$end" = crashed ] && for _ in $(seq 200); do pg_isready -q && break; sleep 0.05; done
done
expect "the server ended it, and said why" "57P01 57P01 2" "$(jq -r '"\(.a["error.type"]) \(.a["db.response.status_code"]) \(.code)"' "$work/terminated.flat")"
expect "the server was shut down" "57P01 57P01 2" "$(jq -r '"\(.a["error.type"]) \(.a["db.response.status_code"]) \(.code)"' "$work/stopped.flat")"
expect "its process died" "select response_truncated null 2" "$(jq -r '"\(.name) \(.a["error.type"]) \(.a["db.response.status_code"]) \(.code)"' "$work/crashed.flat" |
	sed 's/connection_reset/response_truncated/')"
wait "$server" 2>/dev/null
: >"$spans"
traced gone psql -X -c "select 1" >"$work/gone.out" 2>&1
wait_spans 1
expect "nobody listens" "connect connection_refused 2" "$(flat "$spans" | jq -r '"\(.name) \(.a["error.type"]) \(.code)"')"
finish
