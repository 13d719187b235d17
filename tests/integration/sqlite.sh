#!/usr/bin/env bash
# SQLite: what its own trace saw has its span, no more and no fewer, whatever program asks and however it is linked; what the
# program sees stays as it is.
. "$(dirname "$0")/lib.sh"
need jq gcc sqlite3 /usr/bin/python3 curl
here=$top/tests/integration/snippets
strict=(-D_GNU_SOURCE -O1 -Wall -Wextra -Werror)
gcc "${strict[@]}" -o "$work/calls" "$here/sqlite_calls.c" -lsqlite3 -lpthread || skip "no SQLite to build with"

# both NAME FILE COMMAND...: bare and traced, on a new FILE each time; the same output. Leaves it in $work/with.
both() {
	local name=$1 file=$2
	shift 2
	rm -f "$file"*
	"$@" >"$work/bare" 2>&1
	rm -f "$file"*
	: >"$spans"
	traced "$name" "$@" >"$work/with" 2>&1
	cmp -s "$work/bare" "$work/with" || bad "$name: the program sees a difference: $(diff "$work/bare" "$work/with")"
}
said() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" "$work/with" | tail -n 1; }
codes() { flat "$spans" | jq -rs 'map(select(.code == 2) | .a["db.response.status_code"] + (if .a["error.type"] == .a["db.response.status_code"] then "" else "?" end)) | join(" ")'; }

# --- a program of every way ---------------------------------------------------------------------------------------------
STAMP=$work/stamp both calls "$work/c.db" "$work/calls" "$work/c.db"
wait_spans $(($(said statements) + $(said refused)))
expect "statements and refusals" "$(($(said statements) + $(said refused)))" "$(count_spans)"
expect "how they failed" "1555 1555 1 1 1 5 5" "$(codes)"
expect "namespaces" ":memory: c.db" "$(flat "$spans" | jq -r '.a["db.namespace"]' | sort -u | xargs)"
expect "one system, one kind, no parent" "sqlite 3 " "$(flat "$spans" | jq -r '"\(.a["db.system.name"]) \(.kind) \(.parent)"' | sort -u)"
expect "the end of a thread in the middle of a step" "cancelled SELECT wait()" "$(flat "$spans" |
	jq -r 'select(.a["tagalong.incomplete"]) | "\(.a["tagalong.incomplete"]) \(.a["db.query.text"])"')"
grep -q secret "$spans" && bad "a literal was recorded"
expect "texts" 'SELECT k FROM t WHERE k >= ?1' "$(flat "$spans" | jq -r '.a["db.query.text"]' | grep -m1 '?1')"
expect "a span ends with the last step, not with the statement" true "$(flat "$spans" |
	jq -rs --argjson stamp "$(cat "$work/stamp")" 'map(select(.a["db.query.text"] | contains("?1"))) | length == 3 and (map(.end) | max) < $stamp + 150000000')"

# --- more statements at a time than are kept track of: each execution has its span all the same -----------------------------
gcc "${strict[@]}" -o "$work/many" "$here/sqlite_many.c" -lsqlite3 || exit 1
"$work/many" 10000 "$work/peak.bare" >"$work/bare"
: >"$spans"
traced many env TAGALONG_QUEUE_BYTES=64M OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/many.metrics" \
	"$work/many" 10000 "$work/peak.with" >"$work/with"
cmp -s "$work/bare" "$work/with" || bad "many: the program sees a difference: $(diff "$work/bare" "$work/with")"
wait_spans "$(said statements)"
expect "many: statements" "$(said statements)" "$(count_spans)"
# What it costs in memory (4096 spans under way at one time), with a queue of the usual size: the one above holds whatever
# the exporter is behind.
traced many "$work/many" 10000 "$work/peak.with" >/dev/null
more=$(($(cat "$work/peak.with") - $(cat "$work/peak.bare")))
[ -n "${SAN_RUNTIME:-}" ] || [ "$more" -lt 32768 ] || bad "many: $more KiB more memory"
expect "many: those not kept track of are counted" true "$(jq -s 'last | [.resourceMetrics[].scopeMetrics[].metrics[] |
	select(.name == "tagalong.calls.untracked") | .sum.dataPoints[].asInt | tonumber] | add > 1000' "$work/many.metrics")"
grep -q secret "$spans" && bad "many: a literal was recorded"

# --- bound to itself: sqlite3_exec() is one span; and two copies in one process ----------------------------------------------
if gcc -shared -o "$work/libself.so" -Wl,-soname,libself.so -Wl,-Bsymbolic -Wl,--whole-archive -l:libsqlite3.a -Wl,--no-whole-archive -lm \
	2>/dev/null && gcc "${strict[@]}" -o "$work/self" "$here/sqlite_calls.c" "$work/libself.so" -Wl,-rpath,"$work" -lpthread; then
	both self "$work/c.db" "$work/self" "$work/c.db"
	wait_spans $(($(said calls)))
	expect "bound to itself: each call" "$(said calls)" "$(count_spans)"
	expect "bound to itself: calls of several statements" "2 3 4" "$(flat "$spans" | jq -r '.a["db.operation.batch.size"] // empty' | xargs)"
	expect "bound to itself: how they failed" "1555 1555 1 1 4 1 5 5" "$(codes)"
	# two plug-ins, each with its own
	for which in self sqlite3; do
		gcc "${strict[@]}" -Dmain=plugin_main -fPIC -shared -o "$work/plugin-$which.so" "$here/sqlite_calls.c" -L"$work" -l$which \
			-Wl,-rpath,"$work" -lpthread
	done
	gcc "${strict[@]}" -o "$work/two" "$here/plugins.c" -ldl
	both two "$work/c.db" "$work/two" "$work/c.db" "$work/plugin-self.so" "$work/plugin-sqlite3.so"
	want=$(awk '/^statements/ {print n++ ? $2 + $4 : $6}' "$work/with" | paste -sd+ | bc)
	wait_spans "$want"
	expect "two copies: both are seen" "$want" "$(count_spans)"
else
	echo "left out: no libsqlite3.a to make a library of that is bound to itself"
fi

# --- a library whose constructor waits for a thread that asks: the loader is at work meanwhile ---------------------------------------
gcc "${strict[@]}" -fPIC -shared -o "$work/waits.so" "$here/sqlite_ctor.c" -lsqlite3 -lpthread || exit 1
gcc "${strict[@]}" -o "$work/plugins" "$here/plugins.c" -ldl
both waits "$work/c.db" timeout 60 "$work/plugins" "$work/c.db" "$work/waits.so"
wait_spans 1
expect "asked while an object is being loaded" "SELECT 7" "$(flat "$spans" | jq -r .name) $(cat "$work/with")"

# --- sqlite3: its own .trace counts ------------------------------------------------------------------------------------------
cat >"$work/script" <<-'END'
	.trace trace.out
	PRAGMA synchronous = off;
	CREATE TABLE t(a, b UNIQUE);
	INSERT INTO t VALUES(1, 'secret'), (2, 'secret too');
	INSERT INTO t VALUES(3, 'secret');
	SELECT * FROM t;
	SELECT count(*) FROM t; SELECT a FROM t WHERE b = 'secret';
	SELECT * FROM missing;
	BEGIN; UPDATE t SET a = a + 1; ROLLBACK;
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) INSERT INTO t SELECT i, 'x' || i FROM n;
	DROP TABLE t;
END
cd "$work" && both shell "$work/s.db" sqlite3 "$work/s.db" ".read $work/script"
cd "$top" || exit 1
traced_count=$(grep -vc '^--' "$work/trace.out")
wait_spans $((traced_count + 1))
expect "sqlite3: what .trace shows, and the one that could not be prepared" $((traced_count + 1)) "$(count_spans)"
expect "sqlite3: how they failed" "2067 1" "$(codes)"

# --- Python's module, which is opened at run time ------------------------------------------------------------------------------
both python "$work/p.db" /usr/bin/python3 "$here/sqlite_calls.py" "$work/p.db"
wait_spans $(($(said statements) + 1))
expect "python: what its trace callback saw, and the one that could not be prepared" $(($(said statements) + 1)) "$(count_spans)"
expect "python: how they failed" "1555 1" "$(codes)"
grep -q secret "$spans" && bad "python: a literal was recorded"

# whose statements they are
port=$(free_port)
: >"$spans"
start_traced server env TAGALONG_DB_TEXT=raw /usr/bin/python3 "$here/sqlite_server.py" "$port" "$work/r.db"
wait_port "$port" || exit 1
/usr/bin/python3 "$here/parents_load.py" "$port" 8 10 || bad "server: not all answered"
wait_spans 162
flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
	| [.[] | select(.name == "SELECT r") | $by[.parent] as $up | (.a["db.query.text"] | capture("\u0027(?<p>.*)\u0027").p) as $path
	   | if $up == null then "orphan" elif $up.a["url.path"] == $path and $up.kind == 2 and $up.trace == .trace then "exact" else "stitched" end]
	| group_by(.) | map("\(length) \(.[0])") | join(" ")' >"$work/verdict"
grep -qE '^80 exact$|^[0-9]+ exact( [0-9]+ orphan)?$' "$work/verdict" && ! grep -q stitched "$work/verdict" ||
	bad "server: $(cat "$work/verdict")"
stop_last
: >"$spans"
port=$(free_port)
start_traced server env TAGALONG_DB_TEXT=off /usr/bin/python3 "$here/sqlite_server.py" "$port" "$work/r.db"
wait_port "$port" || exit 1
/usr/bin/python3 "$here/parents_load.py" "$port" 1 10 || bad "server: not all answered"
wait_spans 22
expect "server, one at a time: each statement is its request's" "10 0" "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
	| "\(map(select(.name == "SELECT r" and $by[.parent].kind == 2)) | length) \(map(select(.a["db.query.text"])) | length)"')"
: >"$spans"
curl -s "http://127.0.0.1:$port/many/12" >/dev/null || bad "server: no answer"
wait_spans 26
expect "the same statement again and again: its request says so, for executions of one and for many" "SELECT r x 25" "$(flat "$spans" |
	jq -r 'select(.kind == 2) | .a["tagalong.repeated_queries"].values[].stringValue')"
stop_last

# --- PHP, which loads the library so that it is bound to itself, and Perl -----------------------------------------------------------
if [ -n "${SAN_RUNTIME:-}" ]; then
	echo "left out: PHP opens its extensions in a way that a sanitizer's runtime refuses"
elif php -r 'exit(extension_loaded("pdo_sqlite") && extension_loaded("sqlite3") ? 0 : 1);' 2>/dev/null; then
	cat >"$work/t.php" <<-'END'
		<?php
		$p = new PDO('sqlite:' . $argv[1]);
		$p->exec('CREATE TABLE p(a INTEGER PRIMARY KEY, b)');
		$s = $p->prepare('INSERT INTO p VALUES(?, ?)');
		for ($i = 0; $i < 5; $i++) $s->execute([$i, "secret $i"]);
		foreach ($p->query("SELECT b FROM p WHERE b <> 'secret' ORDER BY a") as $r) echo $r[0], "\n";
		try { $p->exec("INSERT INTO p VALUES(1, 'x')"); } catch (Exception $e) { echo $e->getMessage(), "\n"; }
		$d = new SQLite3($argv[1]);
		echo $d->querySingle("SELECT count(*) FROM p"), "\n";
		$d->exec("DELETE FROM p WHERE a = 3; DELETE FROM p WHERE a = 4");
	END
	both php "$work/h.db" php "$work/t.php" "$work/h.db"
	wait_spans 10
	expect "php: statements" "1 CREATE TABLE p 1 BATCH DELETE p 6 INSERT p 2 SELECT p" "$(flat "$spans" | jq -r .name | sort | uniq -c | sort -k2,2 -k1,1n |
		awk '{$1 = $1; print}' | sort -t' ' -k2,2r | awk '/CREATE/' | xargs) $(flat "$spans" | jq -r .name | sort | uniq -c | awk '{$1 = $1; print}' | grep -v CREATE | xargs)"
	expect "php: how they failed" "1555" "$(codes)"
	grep -q secret "$spans" && bad "php: a literal was recorded"
else
	echo "left out: php-sqlite3 is not installed"
fi
if perl -MDBD::SQLite -e 1 2>/dev/null; then
	cat >"$work/t.pl" <<-'END'
		use DBI;
		my $d = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", "", "", {PrintError => 0});
		my $n = 0;
		$d->sqlite_trace(sub { $n++ unless $_[0] =~ /^--/ });
		$d->do("CREATE TABLE q(a INTEGER PRIMARY KEY, b)");
		my $s = $d->prepare("INSERT INTO q VALUES(?, ?)");
		$s->execute($_, "secret $_") for 1 .. 4;
		print "error: ", $d->errstr, "\n" unless $d->do("INSERT INTO q VALUES(1, 'x')");
		print join(",", map { @$_ } @{$d->selectall_arrayref("SELECT b FROM q WHERE b <> 'secret'")}), "\n";
		$d->begin_work; $d->do("DELETE FROM q"); $d->rollback;
		print "statements $n\n";
	END
	both perl "$work/q.db" perl "$work/t.pl" "$work/q.db"
	wait_spans "$(($(said statements) + 1))"
	expect "perl: what its trace saw, and what the module asks before that" "$(($(said statements) + 1))" "$(count_spans)"
	expect "perl: how they failed" "1555" "$(codes)"
else
	echo "left out: libdbd-sqlite3-perl is not installed"
fi
finish
