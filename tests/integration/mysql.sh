#!/usr/bin/env bash
# MariaDB's server and everybody's clients: what its general log has as Query and Execute has a span, no more and no fewer;
# errors, namespaces, texts; output as without us.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin
need mariadbd mariadb-install-db mariadb mysqlslap jq openssl
here=$top/tests/integration/snippets
port=$(free_port)
socket=$work/db.sock log=$work/general.log
gcc -O1 -w -o "$work/calls" "$here/mysql_calls.c" -I/usr/include/mariadb -lmariadb || skip "no libmariadb to build a client"

mkdir "$work/data"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/data" --auth-root-authentication-method=normal --skip-test-db \
	>"$work/install.log" 2>&1 || { tail -n 5 "$work/install.log"; exit 1; }
start_server() {
	mariadbd --no-defaults --user="$(id -un)" --datadir="$work/data" --socket="$socket" --port="$port" --bind-address=127.0.0.1 \
		--pid-file="$work/db.pid" --general-log=1 --general-log-file="$log" --ssl-cert="$work/cert.pem" --ssl-key="$work/key.pem" \
		--local-infile=1 --skip-name-resolve --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M \
		--max-allowed-packet=64M --proxy-protocol-networks=127.0.0.1 >>"$work/server.log" 2>&1 &
	pids+=($!)
	wait_port "$port" || { tail -n 20 "$work/server.log"; exit 1; }
}
start_server
mariadb --no-defaults -uroot -S "$socket" <<'EOS' || exit 1
create database d1;
create user t@localhost identified by 'pw'; create user t@127.0.0.1 identified by 'pw';
grant all on *.* to t@localhost; grant all on *.* to t@127.0.0.1;
use d1;
create table t(id int primary key, v text); insert into t values (1, 'one'), (2, 'two'), (3, 'three');
create table b(b longblob); create table f(a int, b text);
delimiter //
create procedure p1(in x int) begin select x; select x + 1; end //
EOS

logged() { grep -cP '^[^\t]*\t+\s*\d+ (Query|Execute)\t' "$log"; }
# A statement that cannot be prepared is in no log, and still a call that failed: so many of them.
refused=0
# client NAME COMMAND...: bare, then traced: the same output, and a span a statement that the second run made.
client() {
	local name=$1 before after
	shift
	"$@" >"$work/$name.bare" 2>&1 </dev/null
	before=$(logged)
	: >"$spans"
	traced "$name" "$@" >"$work/$name.out" 2>&1 </dev/null
	cmp -s "$work/$name.bare" "$work/$name.out" || { bad "$name: its output changed"; diff "$work/$name.bare" "$work/$name.out" | head; }
	after=$(logged)
	[ "$after" -gt "$before" ] || bad "$name: made no statement: $(head -n 3 "$work/$name.out")"
	wait_spans $((after - before + refused))
	flat "$spans" >"$work/$name.flat"
	expect "$name: a span a statement" $((after - before + refused)) "$(jq -r 'select(.a["db.system.name"]) | .span' "$work/$name.flat" | wc -l)"
	expect "$name: MariaDB's, by their statements, none incomplete" "true" "$(jq -s 'all(.kind == 3 and .a["db.system.name"] == "mariadb" and
		(.a["db.query.text"] | length > 0) and (.a["tagalong.incomplete"] == null))' "$work/$name.flat")"
}
# errors NAME: error.type and how often
errors() { jq -r '.a["error.type"] // empty' "$work/$1.flat" | sort | uniq -c | awk '{ printf "%s%s x%s", (NR > 1 ? ", " : ""), $2, $1 }'; }
spaces() { jq -r '.a["db.namespace"] // "-"' "$work/$1.flat" | uniq | paste -sd' '; }

# --- libmariadb from C
printf '1\tone\n2\ttwo\n' >"$work/file"
for way in tcp unix tls zip tls_zip cont tls_cont proxied proxied_cont proxied_tls; do
	flags=f host=127.0.0.1 at=""
	case $way in cont) flags=fn ;; tls_cont) flags=fsn ;; proxied) flags=fp ;; proxied_cont) flags=fpn ;; proxied_tls) flags=fpsz ;; unix) host="" at=$socket ;; tls) flags=fs ;; zip) flags=fz ;; tls_zip) flags=fsz ;; tcp) flags=fl ;; esac
	refused=1 client "c_$way" "$work/calls" "$host" "$port" "$at" "$flags" "load data local infile '$work/file' into table f"
	expect "c_$way: errors" "1062 x2, 1064 x1, 1146 x1" "$(errors "c_$way")"
	expect "c_$way: the database in use" "d1 mysql d1 mysql" "$(spaces "c_$way")"
	expect "c_$way: nothing that was sent in quotes or bound" 0 "$(grep -cE "twice|secret" "$work/c_$way.flat")"
	expect "c_$way: prepared statements by their text" 6 "$(grep -c '"db.query.text":"select v from t where id >= ? and v <> ?"' "$work/c_$way.flat")"
done
expect "20 MB of text, cut" 1 "$(jq -r 'select(.a["db.query.text"] == "select length(?) as n") | .a["db.response.returned_rows"]' "$work/c_tcp.flat")"
expect "a port that is not 3306 is told" "$port" "$(jq -r '.a["server.port"]' "$work/c_tls.flat" | sort -u)"
expect "a socket's path is the address" "$socket" "$(jq -r '.a["server.address"]' "$work/c_unix.flat" | sort -u)"

# --- the context in statements that are sent as text, when asked for; never in a prepared one
export TAGALONG_SQLCOMMENTER=true
for way in tcp tls; do
	lines=$(wc -l <"$log")
	flags=f
	[ $way = tls ] && flags=fs
	refused=1 client "commented_$way" "$work/calls" 127.0.0.1 "$port" "" $flags "load data local infile '$work/file' into table f"
	tail -n +$((lines + 1)) "$log" | grep -oP "\d+ \w+\t\K.*/\*traceparent=.*" >"$work/comments"
	expect "commented_$way: one a statement that may have it" 7 "$(wc -l <"$work/comments")"
	expect "commented_$way: each is its own span's" 7 "$(sed -n "s/.*traceparent='00-[0-9a-f]*-\([0-9a-f]*\)-0[0-9]'\*\/$/\1/p" "$work/comments" |
		sort | comm -12 - <(jq -r .span "$work/commented_$way.flat" | sort) | wc -l)"
	expect "commented_$way: the recorded text has none" 0 "$(grep -c "traceparent=" "$work/commented_$way.flat")"
	expect "commented_$way: errors" "1062 x2, 1064 x1, 1146 x1" "$(errors "commented_$way")"
done
unset TAGALONG_SQLCOMMENTER

# --- the command line, and load
client cli mariadb --no-defaults -ut -ppw -h127.0.0.1 -P"$port" d1 -e "select 'x'; select * from t; use mysql; select 2"
client cli_zip mariadb --no-defaults -ut -ppw -h127.0.0.1 -P"$port" -C --ssl d1 -e "select repeat('x', 3000000) as a; select 2"
before=$(logged)
: >"$spans"
traced slap mysqlslap --no-defaults -ut -ppw -h127.0.0.1 -P"$port" --concurrency=8 --iterations=1 --auto-generate-sql \
	--auto-generate-sql-load-type=mixed --number-of-queries=400 >"$work/slap.out" 2>&1 || bad "mysqlslap: $(tail -n 2 "$work/slap.out")"
expect "mysqlslap's errors" 0 "$(grep -ci error "$work/slap.out")"
wait_spans $(($(logged) - before))
expect "mysqlslap: a span a statement" $(($(logged) - before)) "$(count_spans)"

# --- other people's drivers: tests/integration/snippets/mysql/
export DB_PORT=$port DB_CERT=$work/cert.pem
drivers=$here/mysql
if php -m 2>/dev/null | grep -q mysqli; then
	refused=1 client mysqli php "$drivers/mysqli.php"
	expect "mysqli: errors" "1062 x1, 1064 x1" "$(errors mysqli)"
	expect "mysqli: the database in use" "d1 mysql d1 mysql" "$(spaces mysqli)"
	client pdo php "$drivers/pdo.php"
	expect "pdo: errors" "1062 x1" "$(errors pdo)"
else
	echo "left out: php-mysql is not installed"
fi
for driver in mysql MariaDB; do
	if perl -MDBD::$driver -e1 2>/dev/null; then
		client "dbd_$driver" perl "$drivers/dbi.pl" $driver
		expect "dbd_$driver: errors" "1062 x1" "$(errors "dbd_$driver")"
	else
		echo "left out: DBD::$driver is not installed"
	fi
done
for driver in MySQLdb pymysql pymysql_tls; do
	if /usr/bin/python3 -c "import ${driver%_tls}" 2>/dev/null; then
		client "$driver" /usr/bin/python3 "$drivers/client.py" $driver
		expect "$driver: errors" "1062 x1" "$(errors "$driver")"
		expect "$driver: the database in use" "d1 mysql" "$(spaces "$driver")"
	else
		echo "left out: $driver is not installed"
	fi
done
if /usr/bin/python3 -c "import aiomysql" 2>/dev/null; then
	for way in "" tls; do
		client "aiomysql$way" /usr/bin/python3 "$drivers/aio.py" $way
		expect "aiomysql $way: errors" "1062 x4" "$(errors "aiomysql$way")"
		expect "aiomysql $way: the databases in use" "d1 mysql" "$(jq -r '.a["db.namespace"]' "$work/aiomysql$way.flat" | sort -u | paste -sd' ')"
	done
else
	echo "left out: aiomysql is not installed"
fi
if [ -e /usr/share/nodejs/mysql ] && command -v node >/dev/null; then
	NODE_PATH=/usr/share/nodejs client node node "$drivers/client.js"
	expect "node: errors" "1062 x1" "$(errors node)"
	expect "node: the database in use" "d1 mysql" "$(spaces node)"
else
	echo "left out: node-mysql is not installed"
fi
. "$here/npm.sh"
if node_has mysql2; then
	for how in '{}' "{\"socketPath\": \"$socket\"}" '{"compress": true}'; do
		client mysql2 node "$drivers/client2.js" "$how"
		expect "mysql2 $how: errors" "1062 x2" "$(errors mysql2)"
		expect "mysql2 $how: the databases in use" "d1 mysql" "$(jq -r '.a["db.namespace"]' "$work/mysql2.flat" | sort -u | paste -sd' ')"
		expect "mysql2 $how: prepared statements by their text" "4 16 9" "$(for text in 'select v from t where id >= ? and v <> ?' 'select ? + ? as n' 'select ? * ? as pooled'; do
			jq -r --arg text "$text" 'select(.a["db.query.text"] == $text) | .span' "$work/mysql2.flat" | wc -l; done | paste -sd' ')"
		expect "mysql2 $how: nothing that was sent in quotes or bound" 0 "$(grep -c secret "$work/mysql2.flat")"
	done
else
	echo "left out: node's mysql2: ${npm_lacks:-it is not installed}"
fi
jar=/usr/share/java/mariadb-java-client.jar
if [ -e $jar ] && javac -d "$work" "$drivers/Client.java" 2>/dev/null; then
	for mode in "" "&useServerPrepStmts=true" "&useBulkStmts=true&useServerPrepStmts=true&useCompression=true"; do
		client jdbc java -cp "$jar:$work" -XX:TieredStopAtLevel=1 Client "$port" "$mode"
		expect "jdbc$mode: errors" "1062 x1" "$(errors jdbc)"
	done
else
	echo "left out: libmariadb-java is not installed, or no compiler"
fi
# --- what goes wrong: error.type, and the status where the server gave one
query() { traced "$1" mariadb --no-defaults -ut -ppw -h127.0.0.1 -P"$port" d1 -e "$2" >"$work/$1.out" 2>&1; }
running() { # SQL: the id of the thread that runs it
	for _ in $(seq 100); do
		id=$(mariadb --no-defaults -uroot -S "$socket" -Ne "select id from information_schema.processlist where info = '$1'")
		[ -n "$id" ] && break
		sleep 0.05
	done
}
: >"$spans"
query killed_query "select sleep(21)" & killed=$!
running "select sleep(21)"
mariadb --no-defaults -uroot -S "$socket" -e "kill query $id"
wait $killed
query killed "select sleep(22)" & killed=$!
running "select sleep(22)"
mariadb --no-defaults -uroot -S "$socket" -e "kill $id"
wait $killed
query statement_time "set statement max_statement_time=0.2 for select sleep(23)"
traced refused mariadb --no-defaults -ut -pwrong -h127.0.0.1 -P"$port" d1 -e "select 1" >/dev/null 2>&1
traced unknown mariadb --no-defaults -ut -ppw -h127.0.0.1 -P"$port" nowhere -e "select 1" >/dev/null 2>&1
for driver in MySQLdb pymysql pymysql_tls; do
	traced "impatient_$driver" /usr/bin/python3 "$drivers/impatient.py" $driver >"$work/impatient.out" 2>&1
	expect "$driver gives up" "2013" "$(cat "$work/impatient.out")"
done
traced unseen "$work/calls" 127.0.0.1 "$port" "" fpn "select sleep(25)" >/dev/null 2>&1 & unseen=$!
running "select sleep(25)"
query dead "select sleep(24)" & killed=$!
running "select sleep(24)"
kill -9 "$(cat "$work/db.pid")"
wait "${pids[0]}" 2>/dev/null
wait $killed $unseen
query gone "select 1"
wait_spans 28
expect "where the wire is not followed as well" "response_truncated - 2" "$(flat "$spans" | jq -r 'select(.service == "unseen" and .a["db.query.text"] == "select sleep(?)")
	| "\(.a["error.type"]) \(.a["db.response.status_code"] // "-") \(.code)"')"
flat "$spans" | jq -r 'select(.service != "unseen") | "\(.service) \(.name): \(.a["error.type"]) \(.a["db.response.status_code"] // "-") \(.code)"' | sort >"$work/wrong"
expect "errors" "dead select: response_truncated - 2
gone connect: connection_refused - 2
impatient_MySQLdb select: timeout - 2
impatient_pymysql select: timeout - 2
impatient_pymysql_tls select: timeout - 2
killed select: response_truncated - 2
killed_query select: 1317 1317 2
refused connect: 1045 1045 2
statement_time set select: 1969 1969 2
unknown connect: 1049 1049 2" "$(cat "$work/wrong")"

# --- whose call is it? A server that asks while it serves
start_server
web=$(free_port)
start_traced site php -S "127.0.0.1:$web" "$drivers/page.php"
wait_port "$web"
: >"$spans"
for i in 1 2 3; do curl -s -m 10 "http://127.0.0.1:$web/page$i" >>"$work/page.out"; done
wait_spans 12
flat "$spans" >"$work/page.flat"
expect "the pages" "one two two one two two one two two" "$(tr '\n' ' ' <"$work/page.out" | sed 's/ $//')"
expect "each of three calls is its page's" "3 3 3" "$(jq -s -r '[.[] | select(.kind == 3) | .parent] as $parents
	| [.[] | select(.kind == 2) | .span as $page | $parents | map(select(. == $page)) | length] | map(tostring) | join(" ")' "$work/page.flat")"
stop_last

# --- a loop that asks with the functions that do not block, over handles of a pool. Who waits in the program's own queue for one of
# them is nobody's for certain: told as such, and never as another one's.
gcc -D_GNU_SOURCE -O1 -w -o "$work/loop" "$here/mysql_loop.c" -I/usr/include/mariadb -lmariadb &&
	gcc -D_GNU_SOURCE -O1 -w -o "$work/load" "$top/tests/causality/load.c" || bad "the loop's programs"
parents() { jq -rs '(map(select(.kind == 2) | {key: .span, value: (.a["url.path"] | split("/")[2])}) | from_entries) as $asked
	| [.[] | select(.kind == 3) | (.a["db.query.text"] | capture("d:(?<id>[0-9]+)").id) as $id
	| if .parent == "" then "orphan" elif $asked[.parent] == $id then "right" else "wrong" end] | group_by(.) | map("\(.[0]) \(length)") | join(", ")' "$1"; }
loop=$(free_port)
for mode in 32 4 "32 proxied" "4 proxied"; do
	: >"$spans"
	start_traced loop env TAGALONG_DB_TEXT=raw TAGALONG_QUEUE_BYTES=32M "$work/loop" "$loop" "$port" $mode
	wait_port "$loop" || exit 1
	before=$(logged)
	expect "the loop answers ($mode)" 400 "$("$work/load" "$loop" 400 24 keep calls=3 | sed 's/.*"answered": \([0-9]*\).*/\1/')"
	count=$(($(logged) - before))
	wait_spans $((count + 400))
	stop_last
	flat "$spans" >"$work/loop.flat"
	case $mode in
	32*) expect "each statement its own request's ($mode)" "right $count" "$(parents "$work/loop.flat")" ;;
	*) expect "none of more requests than handles is another's ($mode)" "$count orphan right" \
		"$(parents "$work/loop.flat" | awk '{ print $2 + $4, $1, $3 }')" ;;
	esac
done
finish
