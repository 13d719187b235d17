# server.sh - sourced, behind lib.sh: a PostgreSQL of the test's own, what its log says it ran, and clients of it.
#
# Before it: hba=(lines that come first in pg_hba.conf), settings=(lines of postgresql.conf).
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/postgres" ] || skip "postgresql is not installed"
PATH=$bin:$PATH
need jq openssl perl curl
here=$top/tests/integration/snippets
log=$work/server.log
export PGHOST=127.0.0.1 PGPORT=$(free_port) PGUSER=postgres PGDATABASE=d1 PGSSLMODE=disable PGCONNECT_TIMEOUT=20
unset PGSERVICE PGPASSWORD PGOPTIONS PGAPPNAME

as_server=() # it does not run as root
[ "$(id -u)" = 0 ] && as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
data=$work/data
mkdir "$data"
[ "$(id -u)" = 0 ] && chown postgres "$data"
"${as_server[@]}" initdb -D "$data" -U postgres -A trust -N -E UTF8 --no-locale >"$work/initdb.log" 2>&1 || { tail -n 5 "$work/initdb.log"; exit 1; }
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$data/server.key" -out "$data/server.crt" 2>/dev/null
[ "$(id -u)" = 0 ] && chown postgres "$data"/server.*
chmod 600 "$data/server.key"
cat >>"$data/postgresql.conf" <<EOC
port = $PGPORT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
fsync = off
shared_buffers = 32MB
ssl = on
log_statement = all
log_line_prefix = '%p|'
EOC
[ -n "${settings:-}" ] && printf '%s\n' "${settings[@]}" >>"$data/postgresql.conf"
[ -n "${hba:-}" ] && { printf '%s\n' "${hba[@]}"; cat "$data/pg_hba.conf"; } >"$work/hba" && cat "$work/hba" >"$data/pg_hba.conf"
start_server() {
	"${as_server[@]}" postgres -D "$data" >>"$log" 2>&1 &
	server=$!
	pids+=("$server")
	for _ in $(seq 200); do pg_isready -q -d postgres && return 0; sleep 0.05; done
	tail -n 20 "$log"
	exit 1
}
: >"$log" && chmod 666 "$log"
start_server
psql -Xqd postgres -c "create database d1" || exit 1

# What the server ran since byte $1 of its log, and what it refused before it ran: errors of a Parse or Bind, whose statement
# is not the last one logged, or none; databases that do not exist.
asked() {
	tail -c +"$(($1 + 1))" "$log" | perl -ne '
		next unless /^(\d+)\|(.*)/s;
		my ($pid, $line) = ($1, $2);
		if ($line =~ /^STATEMENT:  (.*)/) { $n++ if $open{$pid} && $1 ne ($last{$pid} // ""); delete $open{$pid}; next }
		next if $line =~ /^(DETAIL|HINT|CONTEXT|QUERY|LOCATION|WARNING)/;
		$n++ if delete $open{$pid};
		if ($line =~ /^LOG:  (?:statement|execute [^:]*|fastpath function call): (.*)/) { $n++; $last{$pid} = $1 }
		if ($line =~ /^ERROR/) { $open{$pid} = 1 }
		if ($line =~ /^FATAL:  database .* does not exist/) { $n++ }
		END { $n += keys %open; print $n + 0, "\n" }'
}
logged() { stat -c %s "$log"; }

# client NAME COMMAND...: bare, then traced: the same output, and a span a statement of the second run.
client() {
	local name=$1 from
	shift
	"$@" >"$work/$name.bare" 2>&1 </dev/null
	from=$(logged)
	: >"$spans"
	traced "$name" "$@" >"$work/$name.out" 2>&1 </dev/null
	cmp -s "$work/$name.bare" "$work/$name.out" || { bad "$name: its output changed"; diff "$work/$name.bare" "$work/$name.out" | head; }
	counted "$name" "$from"
}
counted() { # name from
	local n
	n=$(asked "$2")
	[ "$n" -gt 0 ] || bad "$1: asked for nothing: $(head -n 3 "$work/$1.out")"
	wait_spans "$n"
	sleep 0.2
	flat "$spans" >"$work/$1.flat"
	expect "$1: a span a statement" "$n" "$(jq -r 'select(.a["db.system.name"]) | .span' "$work/$1.flat" | wc -l)"
	expect "$1: PostgreSQL's, none incomplete, nothing that was a parameter or in quotes" true "$(jq -s 'all(.kind == 3 and
		.a["db.system.name"] == "postgresql" and (.a["db.namespace"] | IN("d1", "nosuch")) and .a["tagalong.incomplete"] == null and
		(.a["db.query.text"] // "" | contains("secret") | not))' "$work/$1.flat")"
}
# errors NAME: error.type and how often, all of them with the status code
errors() {
	jq -r 'select(.code == 2) | if .a["error.type"] == .a["db.response.status_code"] then .a["error.type"] else "?" end' "$work/$1.flat" |
		sort | uniq -c | awk '{ printf "%s%s x%s", (NR > 1 ? ", " : ""), $2, $1 }'
}
count() { jq -r "select($2) | .span" "$work/$1.flat" | wc -l; } # name condition

