# databases.sh, sourced by run.sh: PostgreSQL and MariaDB behind the servers under test. Their logs say what they were asked.
# Each is made once a run. A statement carries /d/ID/N, and sleeps for a random moment, so that answers come in another order.
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
as_postgres=() # it does not run as root
[ "$(id -u)" = 0 ] && as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)

make_postgres() {
	[ -d "$work/pg" ] && return
	mkdir "$work/pg"
	[ "$(id -u)" = 0 ] && chown postgres "$work/pg"
	"${as_postgres[@]}" "$pg_bin/initdb" -D "$work/pg/data" -U rig -A trust -N -E UTF8 --no-locale >"$work/initdb.log" 2>&1
}
start_postgres() { # PORT LOG
	make_postgres
	exec "${as_postgres[@]}" "$pg_bin/postgres" -D "$work/pg/data" -p "$1" -h 127.0.0.1 -k "" -F -c max_connections=300 \
		-c shared_buffers=32MB -c autovacuum=off -c log_statement=all -c log_line_prefix= >"$2" 2>&1
}

make_mariadb() {
	[ -d "$work/my" ] && return
	mkdir "$work/my"
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/my" --auth-root-authentication-method=normal \
		--skip-test-db >"$work/install.log" 2>&1
	echo "create user rig@'%' identified by 'rig';" >"$work/my.sql"
}
start_mariadb() { # PORT LOG
	make_mariadb
	PATH=$PATH:/usr/sbin
	exec mariadbd --no-defaults --user="$(id -un)" --datadir="$work/my" --socket="$work/my.sock" --port="$1" --bind-address=127.0.0.1 \
		--pid-file="$work/my.pid" --general-log=1 --general-log-file="$2" --skip-name-resolve --max-connections=300 \
		--innodb-buffer-pool-size=32M --init-file="$work/my.sql" >"$2.server" 2>&1
}

# What they wrote down, as downstream.c writes it. A statement that was prepared is there when it is executed.
database_saw() { sed -n "s#.*\(LOG:  statement: \|LOG:  execute [^:]*: \|Query	\|Execute	\)SELECT '\(/d/[0-9]*/[0-9]*\)'.*#\2 -#p" "$1/database" >"$1/seen"; }
