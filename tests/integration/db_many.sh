#!/usr/bin/env bash
# More connections to databases at once than there are arenas, each with a prepared statement of its own: every call has its
# span, with its statement's text, and the program's memory stays within bounds.
. "$(dirname "$0")/lib.sh"
[ "$(ulimit -n)" -ge 2048 ] || ulimit -n 2048 2>/dev/null || skip "too few descriptors"
count=600 rounds=2
settings=("max_connections = 640" "log_statement = none" "log_connections = off")
. "$top/tests/integration/snippets/postgres/server.sh"
PATH=$PATH:/usr/sbin
command -v mariadbd >/dev/null || skip "mariadb is not installed"
gcc -O1 -w -o "$work/pq" "$here/pq_many.c" -I/usr/include/postgresql -lpq &&
	gcc -O1 -w -o "$work/my" "$here/mysql_many.c" -I/usr/include/mariadb -lmariadb || skip "no libraries to build clients"

# many NAME COMMAND...
many() {
	local name=$1 bare traced
	shift
	expect "$name, without us" $((count * rounds)) "$("$@" 2>"$work/$name.bare")"
	: >"$spans"
	expect "$name: all answered right" $((count * rounds)) "$(traced "$name" "$@" 2>"$work/$name.traced")"
	wait_spans $((count * rounds))
	sleep 0.2
	flat "$spans" >"$work/$name.flat"
	expect "$name: each call by its statement" "$((count * rounds)) $count $rounds" "$(jq -rs '
		map(select(.kind == 3) | .a["db.query.text"] // "" | (capture("(?i)^select \\S+ as q(?<id>[0-9]+)$").id) // "none") as $ids
		| ($ids | group_by(.) | map(length)) as $each
		| "\($ids | length) \($each | length) \($each | unique | map(tostring) | join(" "))"' "$work/$name.flat")"
	bare=$(tail -n 1 "$work/$name.bare") traced=$(tail -n 1 "$work/$name.traced")
	# Of 257 arenas as large as they may become: 90 MB.
	[ $((traced - bare)) -lt 40960 ] || bad "$name took $traced KiB, $bare without us"
	echo "$name: peak $traced KiB, $bare without us"
}
data_my=$work/my-data my_port=$(free_port)
mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$data_my" --auth-root-authentication-method=normal --skip-test-db \
	>"$work/install.log" 2>&1 || { tail -n 5 "$work/install.log"; exit 1; }
mariadbd --no-defaults --user="$(id -un)" --datadir="$data_my" --socket="$work/my.sock" --port="$my_port" --bind-address=127.0.0.1 \
	--pid-file="$work/my.pid" --skip-name-resolve --innodb-buffer-pool-size=32M --max-connections=640 --back-log=640 >>"$work/my.log" 2>&1 &
pids+=($!)
wait_port "$my_port" || { tail -n 20 "$work/my.log"; exit 1; }

many postgres "$work/pq" "host=127.0.0.1 sslmode=disable" $count $rounds
many mariadb "$work/my" "$my_port" $count $rounds
many zipped "$work/my" "$my_port" $count $rounds zip
finish
