#!/usr/bin/env bash
# libpq's handles: whose a call is that is asked in one request and written in another, exactly; spans of the library where
# the wire is not followed (GSS encryption, connections older than us), as many as the server's log has statements.
. "$(dirname "$0")/lib.sh"
realm=TAGALONG.TEST
settings=("krb_server_keyfile = '$work/server.keytab'")
hba=("hostgssenc all all 127.0.0.1/32 trust")
. "$top/tests/integration/snippets/postgres/server.sh"
cc=(gcc -O1 -w -I/usr/include/postgresql)
"${cc[@]}" -o "$work/calls" "$here/postgres_calls.c" -lpq 2>/dev/null || skip "no libpq to build a client"
"${cc[@]}" -o "$work/more" "$here/pq_more.c" -lpq && "${cc[@]}" -o "$work/loop" "$here/pq_loop.c" -lpq || { bad "the clients do not build"; finish; }

# --- a loop that asks in one turn what it flushes in another; each request's statements bear its number
# judged NAME: spans with the right parent, with none, and with somebody else's
judged() {
	flat "$spans" >"$work/$1.flat"
	jq -s -r '(map(select(.kind == 2)) | map({key: .span, value: (.a["url.path"] | ltrimstr("/"))}) | from_entries) as $requests |
		map(select(.kind == 3 and (.a["db.query.text"] // "" | test(" AS q"))) |
			(.a["db.query.text"] | capture(" AS q(?<id>[0-9]+)_").id) as $id |
			if .parent == "" then "none" elif $requests[.parent] == $id then "right" else "stitched" end) |
		"\(map(select(. == "right")) | length) right, \(map(select(. == "none")) | length) none, \(map(select(. == "stitched")) | length) stitched"' \
		"$work/$1.flat"
}
looped() { # name how conninfo
	local web
	web=$(free_port)
	: >"$spans"
	start_traced "$1" "$work/loop" "$web" "$3" 4 "$2"
	wait_port "$web"
	expect "$1: its clients" "all answered" "$(/usr/bin/python3 "$here/pq_load.py" "$web" 32 20)"
	wait_spans 1920
	stop_last
	[ -s "$work/$1.log" ] && bad "$1: $(head -n 2 "$work/$1.log")"
	case $2 in
	pipeline) expect "$1: 32 requests on 4 connections" "1280 right, 0 none, 0 stitched" "$(judged "$1")" ;;
	# Where a request waits in the program's own queue nobody can tell whose turn it is.
	wait) expect "$1: nobody's rather than a wrong one's" "1280 0" "$(judged "$1" | awk '{ print $1 + $3, $5 }')" ;;
	esac
}
for ssl in disable require; do
	looped "loop_pipeline_$ssl" pipeline "host=127.0.0.1 sslmode=$ssl"
	looped "loop_wait_$ssl" wait "host=127.0.0.1 sslmode=$ssl"
done

# --- every way of asking that postgres.sh leaves out
for way in tcp unix tls; do
	how="host=127.0.0.1 sslmode=disable"
	case $way in unix) how="host=$work" ;; tls) how="host=127.0.0.1 sslmode=require" ;; esac
	client "more_$way" "$work/more" "$how"
	expect "more_$way: errors" "22012 x1, 22P02 x1, 34000 x1, 57014 x2" "$(errors "more_$way")"
	expect "more_$way: statements of a pipeline by their text" "1 2" "$(count "more_$way" '.a["db.query.text"] == "SELECT $1::int AS p1"') $(count "more_$way" '.a["db.query.text"] == "SELECT $1::int AS p2" and .code == 0')"
done

# --- GSS encryption: a KDC of the test's own, on loopback
kdc=$(command -v krb5kdc || ls /usr/sbin/krb5kdc 2>/dev/null)
start_kdc() {
	local port
	port=$(free_port)
	cat >"$work/krb5.conf" <<-EOC
	[libdefaults]
	default_realm = $realm
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	default_ccache_name = FILE:$work/ccache
	[realms]
	$realm = {
	kdc = 127.0.0.1:$port
	}
	EOC
	cat >"$work/kdc.conf" <<-EOC
	[kdcdefaults]
	kdc_listen = 127.0.0.1:$port
	kdc_tcp_listen = 127.0.0.1:$port
	[realms]
	$realm = {
	database_name = $work/principals
	key_stash_file = $work/stash
	}
	EOC
	export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf KRB5CCNAME=FILE:$work/ccache
	{
		kdb5_util -r $realm -P master create -s && kadmin.local -r $realm addprinc -pw word "postgres@$realm" &&
			kadmin.local -r $realm addprinc -randkey "postgres/localhost@$realm" &&
			kadmin.local -r $realm ktadd -k "$work/server.keytab" "postgres/localhost@$realm"
	} >"$work/kdc.log" 2>&1 || { tail -n 5 "$work/kdc.log"; return 1; }
	chmod 644 "$work/server.keytab" "$work/krb5.conf"
	"$kdc" -n >>"$work/kdc.log" 2>&1 &
	pids+=($!)
	wait_port "$port" && echo word | kinit "postgres@$realm" >>"$work/kdc.log" 2>&1 || { tail -n 5 "$work/kdc.log"; return 1; }
}
if [ -z "$kdc" ] || ! command -v kinit kdb5_util kadmin.local >/dev/null; then
	echo "left out: GSS encryption: krb5-kdc, krb5-admin-server or krb5-user is not installed"
elif ! start_kdc; then
	bad "the KDC does not start"
else
	gss="host=localhost hostaddr=127.0.0.1 gssencmode=require"
	expect "the connection is encrypted by GSS" t "$(psql -XAtd "$gss" -c 'select encrypted from pg_stat_gssapi where pid = pg_backend_pid()')"
	client c_gss "$work/calls" "$gss"
	expect "c_gss: errors" "22012 x2, 23505 x2, 26000 x1, 3D000 x1, 42703 x1, 57014 x1" "$(errors c_gss)"
	expect "c_gss: prepared statements by their text" 101 "$(count c_gss '.a["db.query.text"] == "SELECT 1 / $1::int" and .code == 0')"
	expect "c_gss: a batch" "BATCH 3" "$(jq -r 'select(.a["db.operation.batch.size"] and .code == 0) | "\(.name) \(.a["db.operation.batch.size"])"' "$work/c_gss.flat" | head -n 1)"
	expect "c_gss: rows" "1 1 2001" "$(jq -r 'select(.a["db.query.text"] // "" | test("length|generate_series")) |
		.a["db.response.returned_rows"]' "$work/c_gss.flat" | sort | paste -sd' ')"
	expect "c_gss: the server" "127.0.0.1 $PGPORT" "$(jq -r '"\(.a["server.address"]) \(.a["server.port"])"' "$work/c_gss.flat" | sort -u)"
	client more_gss "$work/more" "$gss"
	expect "more_gss: errors" "22012 x1, 22P02 x1, 34000 x1, 57014 x2" "$(errors more_gss)"
	looped loop_gss pipeline "$gss"
fi
# psql and pgbench do not end behind a sanitizer's runtime.
if [ -n "${gss:-}" ] && [ -z "${SAN_RUNTIME:-}" ]; then
	from=$(logged)
	: >"$spans"
	TAGALONG_SQLCOMMENTER=true traced commented psql -X "$gss" -c "select 'secret' as x" -c "select 2 -- mine" -c "begin" \
		-c "select 4 ; " -c "create view v_gss as select 5" >"$work/commented.out" 2>&1
	TAGALONG_SQLCOMMENTER=true traced commented pgbench -n -f <(echo "select 6;") -M prepared -t 5 "$gss" >"$work/commented.bench" 2>&1
	wait_spans 10
	tail -c +$((from + 1)) "$log" | grep -a -oP "(statement|execute \S+): \K.*/\*traceparent=.*" >"$work/comments"
	expect "gss: comments in those that read rows" "select 'secret' as x|select 4 ; " \
		"$(sed -E "s| /\*traceparent='[0-9a-f-]*'\*/||" "$work/comments" | grep -v pg_partitioned | paste -sd'|')"
	expect "gss: each with its span's id" "$(wc -l <"$work/comments")" "$(sed -nE "s/.*'00-([0-9a-f]*)-([0-9a-f]*)-0[0-9]'.*/\1 \2/p" "$work/comments" | sort |
		comm -12 - <(flat "$spans" | jq -r '"\(.trace) \(.span)"' | sort) | wc -l)"
	expect "gss: not in what is recorded" 0 "$(grep -c "traceparent=" "$spans")"

	: >"$spans"
	traced killed psql -X "$gss" -c "select pg_sleep(77)" >"$work/killed.out" 2>&1 &
	asleep=$!
	for _ in $(seq 200); do
		backend=$(psql -XAtc "select pid from pg_stat_activity where query = 'select pg_sleep(77)'")
		[ -n "$backend" ] && break
		sleep 0.05
	done
	kill -9 "$backend"
	wait "$asleep"
	wait_spans 1
	expect "gss: its process died" "select response_truncated 2" "$(flat "$spans" | jq -r '"\(.name) \(.a["error.type"]) \(.code)"' | sed 's/57P0[12]/response_truncated/')"
	for _ in $(seq 200); do pg_isready -q && break; sleep 0.05; done
fi

# --- copies of the library: one of another name that a plug-in brings along, alone and beside the program's own
plain=$(ldconfig -p | sed -n 's/.*libpq\.so\.5 .*=> //p' | head -n 1)
sed 's/libpq\.so\.5/libqq.so.5/g' "$plain" >"$work/libqq.so.5"
if "${cc[@]}" -shared -fPIC -DPLUGIN -o "$work/plugin.so" "$here/pq_copies.c" "$work/libqq.so.5" -Wl,-rpath,"$work" &&
	"${cc[@]}" -o "$work/alone" "$here/pq_copies.c" -ldl && "${cc[@]}" -DBESIDE -o "$work/beside" "$here/pq_copies.c" -lpq -ldl; then
	client copy_alone "$work/alone" "$work/plugin.so" "host=127.0.0.1"
	client copy_beside "$work/beside" "$work/plugin.so" "host=127.0.0.1"
	expect "two copies, a library's each" "3 3" "$(count copy_beside '.name == "SELECT a_plugin"') $(count copy_beside '.name == "SELECT a_program"')"
fi

# --- a connection that is older than we are: of a library's whose constructor ran first
if "${cc[@]}" -shared -fPIC -o "$work/early.so" "$here/pq_early.c" -lpq && "${cc[@]}" -o "$work/early" -DMAIN "$here/pq_early.c" -L"$work" -l:early.so -lpq -Wl,-rpath,"$work"; then
	client early "$work/early" "host=127.0.0.1 sslmode=disable"
	expect "older than us: the library's spans" "23505 x1" "$(errors early)"
fi
finish
