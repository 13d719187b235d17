#!/usr/bin/env bash
# ODBC: each call that executes a statement is one span, whatever the driver does for it on the wire or in SQLite; every
# statement of the server's log has its span; what the program reads of its diagnostics stays as it is.
. "$(dirname "$0")/lib.sh"
need jq gcc isql /usr/bin/python3
here=$top/tests/integration/snippets
gcc -O1 -Wall -Wextra -Werror -o "$work/calls" "$here/odbc_calls.c" -lodbc || skip "no ODBC to build with"
registered() { odbcinst -q -d 2>/dev/null | grep -qxF "[$1]"; }
export ODBCINI=$work/odbc.ini
: >"$ODBCINI"
# The machine's drivers, but for the log that Debian has PostgreSQL's leave in /tmp.
sed 's/^CommLog=.*/CommLog=0/' "$(odbcinst -j | sed -n 's/^DRIVERS\.*: //p')" >"$work/odbcinst.ini"
export ODBCSYSINI=$work

# both NAME COMMAND...: bare and traced; the same output, in $work/with. Spans of statements that the driver makes by itself to
# connect are told by another kind of name, see of_program.
both() {
	local name=$1
	shift
	"$@" >"$work/bare" 2>&1 </dev/null
	: >"$spans"
	traced "$name" "$@" >"$work/with" 2>&1 </dev/null
	cmp -s "$work/bare" "$work/with" || bad "$name: the program sees a difference: $(diff "$work/bare" "$work/with")"
}
calls() { sed -n 's/^calls //p' "$work/with"; }
# Of the spans those whose statements the program gave: the drivers have some of their own to connect, to read a cursor and to
# end a transaction.
own='^(SET |PRAGMA |select oid, typbasetype|show |fetch |close |begin|commit|rollback|SELECT @@|SHOW )'
of_program() { flat "$spans" | jq -c --arg own "$own" 'select((.a["db.query.text"] // "") | test($own; "i") | not)'; }
errors() { of_program | jq -rs 'map(.a["error.type"] // empty) | group_by(.) | map("\(.[0]) x\(length)") | join(", ")'; }
same_everywhere() { # NAME system
	expect "$1: a span a call" "$(calls)" "$(of_program | wc -l)"
	expect "$1: its system, kind, no parent" "$2 3 " "$(of_program | jq -r '"\(.a["db.system.name"]) \(.kind) \(.parent)"' | sort -u)"
	grep -q secret "$spans" && bad "$1: a literal was recorded"
	of_program | jq -r '.a["db.query.text"] // ""' | grep -q 'v <> ? AND k < ?' || bad "$1: no text of a wide statement"
	expect "$1: the beginning of a long text is kept" "2" "$(of_program | jq -r '.a["db.query.text"] // ""' | grep -c 'WHERE v = ? AND k < ? AND k < ?')"
}

# --- SQLite, in the process -------------------------------------------------------------------------------------------------
if registered SQLite3; then
	both sqlite "$work/calls" "Driver=SQLite3;Database=$work/o.db;SyncPragma=OFF"
	wait_spans "$(($(calls) + 6))" # and three PRAGMAs a connection
	same_everywhere sqlite sqlite
	expect "sqlite: how they failed" "1 x3, 19 x1, HY009 x1, HY090 x1" "$(errors)"
	expect "sqlite: namespace" "o.db" "$(flat "$spans" | jq -r '.a["db.namespace"]' | sort -u)"
	expect "sqlite: a statement is not told once more by the library below" "$(($(calls) + 6))" "$(count_spans)"
	printf '[lite]\nDriver=SQLite3\nDatabase=%s\nSyncPragma=OFF\n' "$work/i.db" >"$ODBCINI"
	printf '%s\n' "CREATE TABLE t(a INTEGER PRIMARY KEY, b)" "INSERT INTO t VALUES(1, 'secret')" "INSERT INTO t VALUES(1, 'secret')" \
		"SELECT a FROM t WHERE b = 'secret'" "DROP TABLE t" >"$work/isql"
	both isql bash -c 'exec isql lite -b -v <"$0"' "$work/isql"
	wait_spans 8
	expect "isql: its statements" "5 19 x1" "$(of_program | wc -l) $(errors)"
	if /usr/bin/python3 -c 'import pyodbc' 2>/dev/null; then
		both python /usr/bin/python3 "$here/odbc_calls.py" "DSN=lite"
		wait_spans "$(($(calls) + 3))"
		expect "python: a span a call" "$(calls)" "$(of_program | wc -l)"
		expect "python: how they failed" "1 x1, 19 x1" "$(errors)"
	else
		echo "left out: python3-pyodbc is not installed"
	fi
	if [ -n "${SAN_RUNTIME:-}" ]; then
		echo "left out: PHP opens its extensions in a way that a sanitizer's runtime refuses"
	elif php -r 'exit(extension_loaded("odbc") && extension_loaded("pdo_odbc") ? 0 : 1);' 2>/dev/null; then
		cat >"$work/t.php" <<-'END'
			<?php
			$o = odbc_connect('lite', '', '');
			odbc_exec($o, 'CREATE TABLE h(a INTEGER PRIMARY KEY, b)');
			$s = odbc_prepare($o, 'INSERT INTO h VALUES(?, ?)');
			for ($i = 0; $i < 3; $i++) odbc_execute($s, [$i, "secret"]);
			if (!@odbc_exec($o, "INSERT INTO h VALUES(1, 'x')")) echo odbc_error($o), ' ', odbc_errormsg($o), "\n";
			$r = odbc_exec($o, "SELECT a FROM h WHERE b = 'secret'");
			while (odbc_fetch_row($r)) echo odbc_result($r, 1), "\n";
			odbc_close($o);
			$p = new PDO('odbc:lite');
			foreach ($p->query("SELECT count(*) FROM h") as $row) echo $row[0], "\n";
			$p->exec('DROP TABLE h');
		END
		both php php "$work/t.php"
		wait_spans 14
		expect "php: its statements" "8 19 x1" "$(of_program | wc -l) $(errors)"
	else
		echo "left out: php-odbc is not installed"
	fi
else
	echo "left out: libsqliteodbc is not installed"
fi

# --- a driver that has not all functions, and is linked with the driver manager: that must not take its own for the driver's -----
if gcc -shared -fPIC -O1 -Wall -Wextra -Werror -o "$work/libpoor.so" "$here/odbc_driver.c" -Wl,--no-as-needed -lodbc 2>"$work/cc"; then
	gcc -O1 -Wall -Wextra -Werror -o "$work/poor" "$here/odbc_poor.c" -lodbc || exit 1
	both poor "$work/poor" "Driver=$work/libpoor.so"
	wait_spans 1
	expect "a poor driver: the statement" "other_sql SELECT t" "$(flat "$spans" | jq -r '"\(.a["db.system.name"]) \(.name)"')"
	grep -q 'more results: -1 IM001' "$work/with" || bad "a poor driver: $(cat "$work/with")"
else
	bad "no driver: $(cat "$work/cc")"
fi

# --- PostgreSQL, over a socket whose bytes are followed too ------------------------------------------------------------------
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if registered "PostgreSQL Unicode" && [ -x "$bin/postgres" ]; then
	port=$(free_port) data=$work/pg log=$work/pg.log as_server=()
	mkdir "$data" && : >"$log" && chmod 666 "$log"
	[ "$(id -u)" = 0 ] && as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups) && chown postgres "$data"
	"${as_server[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -N -E UTF8 --no-locale >"$work/initdb.log" 2>&1 ||
		{ tail -n 5 "$work/initdb.log"; exit 1; }
	printf '%s\n' "port = $port" "listen_addresses = '127.0.0.1'" "unix_socket_directories = '$work'" "fsync = off" \
		"shared_buffers = 32MB" "log_statement = all" >>"$data/postgresql.conf"
	"${as_server[@]}" "$bin/postgres" -D "$data" >>"$log" 2>&1 &
	pids+=($!)
	for _ in $(seq 200); do "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" && break; sleep 0.05; done
	connection="Driver=PostgreSQL Unicode;Server=localhost;Port=$port;Database=postgres;UID=postgres;SSLmode=disable"
	for protocol in "" ";UseServerSidePrepare=0" ";UseDeclareFetch=1"; do
		both "postgres$protocol" "$work/calls" "$connection$protocol" batch
		wait_spans "$(calls)"
		same_everywhere "postgres$protocol" postgresql
		expect "postgres$protocol: how they failed" "23505 x1, 42601 x1, 42P01 x2, HY009 x1, HY090 x1" "$(errors)"
		expect "postgres$protocol: what the wire knows" "localhost $port postgres" "$(of_program | jq -r 'select(.a["db.query.text"]) |
			"\(.a["server.address"]) \(.a["server.port"]) \(.a["db.namespace"])"' | sort -u)"
		expect "postgres$protocol: what is told is whole" 0 "$(flat "$spans" | jq -c 'select(.a["tagalong.incomplete"])' | wc -l)"
	done
	# the server's log: what it ran has its span, but for what the driver does for a call of the program's (DEALLOCATE)
	from=$(stat -c %s "$log")
	: >"$spans"
	traced postgres "$work/calls" "$connection" batch >"$work/with" 2>&1
	wait_spans "$(calls)"
	ran=$(tail -c +"$((from + 1))" "$log" | grep -E 'LOG:  (statement|execute)' | grep -vc 'DEALLOCATE')
	refused=$(of_program | jq -c 'select((.a["error.type"] // "" | test("^(42601|HY009|HY090)$")) or .a["db.query.text"] == "SELECT nothing FROM nowhere")' | wc -l)
	expect "postgres: the server's log, and what never came to be run" $((ran + refused)) "$(count_spans)"
	if /usr/bin/python3 -c 'import pyodbc' 2>/dev/null; then
		both kill /usr/bin/python3 "$here/odbc_kill.py" "$connection"
		wait_spans 14
		expect "postgres: killed, gone, too slow" "57P01 SELECT pg_sleep(?), 08S01 SELECT ?, 57014 SELECT pg_sleep(?)" "$(of_program |
			jq -rs 'sort_by(.start) | map(select(.code == 2) | "\(.a["error.type"]) \(.a["db.query.text"])") | join(", ")')"
	fi
else
	echo "left out: odbc-postgresql or postgresql is not installed"
fi

# --- MariaDB -----------------------------------------------------------------------------------------------------------------
PATH=$PATH:/usr/sbin
if registered "MariaDB Unicode" && command -v mariadbd >/dev/null; then
	port=$(free_port) log=$work/general.log
	mkdir "$work/maria"
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/maria" --auth-root-authentication-method=normal --skip-test-db \
		>"$work/install.log" 2>&1 || { tail -n 5 "$work/install.log"; exit 1; }
	mariadbd --no-defaults --user="$(id -un)" --datadir="$work/maria" --socket="$work/maria.sock" --port="$port" --bind-address=127.0.0.1 \
		--pid-file="$work/maria.pid" --general-log=1 --general-log-file="$log" --skip-name-resolve \
		--innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M >>"$work/maria.log" 2>&1 &
	pids+=($!)
	wait_port "$port" || { tail -n 20 "$work/maria.log"; exit 1; }
	mariadb --no-defaults -uroot -S "$work/maria.sock" -e "create database d1; create user t@127.0.0.1 identified by 'pw'; grant all on *.* to t@127.0.0.1" || exit 1
	both mariadb "$work/calls" "Driver=MariaDB Unicode;Server=127.0.0.1;Port=$port;Database=d1;UID=t;PWD=pw"
	wait_spans "$(calls)"
	same_everywhere mariadb mariadb
	expect "mariadb: how they failed" "1062 x1, 1064 x1, 1146 x2, HY009 x1, HY090 x1" "$(errors)"
	expect "mariadb: what the wire knows" "127.0.0.1 $port d1" "$(of_program | jq -r 'select(.a["db.query.text"]) |
		"\(.a["server.address"]) \(.a["server.port"]) \(.a["db.namespace"])"' | sort -u)"
	grep -q '"pw"' "$spans" && bad "mariadb: a password was recorded"
	if /usr/bin/python3 -c 'import pyodbc' 2>/dev/null; then
		both kill_mariadb /usr/bin/python3 "$here/odbc_kill.py" "Driver=MariaDB Unicode;Server=127.0.0.1;Port=$port;Database=d1;UID=t;PWD=pw" mariadb
		wait_spans 7
		expect "mariadb: killed, too slow; the driver lets nobody ask what is gone" "2013 SELECT sleep(?), 1969 SELECT sleep(?)" "$(of_program |
			jq -rs 'sort_by(.start) | map(select(.code == 2) | "\(.a["error.type"]) \(.a["db.query.text"])") | join(", ")')"
	fi
else
	echo "left out: odbc-mariadb or mariadb-server is not installed"
fi
finish
