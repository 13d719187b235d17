#!/usr/bin/env bash
# What is large at a database stays small with us: a result of 1 GB, a statement of 20 MB, 10 000 prepared statements. The
# program's output and exit status are as bare, each statement has its span, and memory grows by the queue and little more.
. "$(dirname "$0")/lib.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/postgres" ] || skip "postgresql is not installed"
PATH=$bin:$PATH:/usr/sbin
need jq mariadbd mariadb-install-db
gcc -O1 -w -o "$work/large" "$top/tests/integration/snippets/db_large.c" -I/usr/include/postgresql -I/usr/include/mariadb -lpq -lmariadb ||
	skip "no libpq and libmariadb to build a client"
export PGHOST=127.0.0.1 PGPORT=$(free_port) PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable MYPORT=$(free_port)

as_server=()
[ "$(id -u)" = 0 ] && as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
mkdir "$work/pg"
[ "$(id -u)" = 0 ] && chown postgres "$work/pg"
"${as_server[@]}" initdb -D "$work/pg/data" -U postgres -A trust -N -E UTF8 --no-locale >"$work/initdb.log" 2>&1 ||
	{ tail -n 5 "$work/initdb.log"; exit 1; }
background "${as_server[@]}" postgres -D "$work/pg/data" -p "$PGPORT" -h 127.0.0.1 -k "$work/pg" -F
mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/my" --auth-root-authentication-method=normal --skip-test-db \
	>"$work/install.log" 2>&1 || { tail -n 5 "$work/install.log"; exit 1; }
background mariadbd --no-defaults --user="$(id -un)" --datadir="$work/my" --socket="$work/my.sock" --port="$MYPORT" \
	--bind-address=127.0.0.1 --pid-file="$work/my.pid" --skip-name-resolve --max-allowed-packet=64M --innodb-buffer-pool-size=16M
wait_port "$PGPORT" && wait_port "$MYPORT" || { tail -n 20 "$work/background.log"; exit 1; }
for _ in $(seq 200); do pg_isready -q && break; sleep 0.05; done

# large WHAT SPANS STATEMENT: bare and traced; so many spans, whose text begins so where it is still known.
large() {
	"$work/large" "$1" >"$work/bare" 2>"$work/bare.kb" || { cat "$work/bare.kb"; bad "$1: it does not even run bare"; return; }
	: >"$spans"
	traced large TAGALONG_STATS="$work/$1.stats" "$work/large" "$1" >"$work/with" 2>"$work/with.kb" || bad "$1: exit status $?: $(cat "$work/with.kb")"
	cmp -s "$work/bare" "$work/with" || bad "$1: other output: $(cat "$work/bare") and $(cat "$work/with")"
	expect "$1: spans" "$2" "$(flat "$spans" | jq -r --arg text "$3" 'select(.a["db.query.text"] // "" | . == "" or startswith($text)) | .span' | wc -l)"
	local more=$(($(cat "$work/with.kb") - $(cat "$work/bare.kb")))
	# Sanitizers keep what was freed. What design allows under load is 8 MB, 4 of them the queue.
	[ -n "${SAN_RUNTIME:-}" ] || [ "$more" -le 8192 ] || bad "$1: $more KB more memory than bare"
	echo "$1: $(cat "$work/bare"), $(cat "$work/bare.kb") KB bare, $more KB more"
}
large pg_result 1 "select repeat("
large pg_statement 1 "select length("
large pg_statements 10000 "select \$1::int + "
large my_result 1 "select repeat("
large my_statement 1 "select length("
large my_statements 10000 "select ? + "
finish
