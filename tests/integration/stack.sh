#!/usr/bin/env bash
# Who asked? Calls that fail or are slow carry the stack of the program that made them, and only those, however it was built;
# the program's own unwinding goes as without us; without libunwind there is a count instead.
. "$(dirname "$0")/lib.sh"
need jq gcc g++ strip /usr/bin/python3
[ "$(uname -m)" = x86_64 ] || skip "stacks are read on x86-64 only"
ldconfig=$(PATH=$PATH:/sbin:/usr/sbin command -v ldconfig)
"$ldconfig" -p | grep -q libunwind-x86_64.so.8 || skip "libunwind is not installed"
here=$top/tests/integration/snippets
export TAGALONG_STACK_THRESHOLD=200

pq=()
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/postgres" ] && [ -f /usr/include/postgresql/libpq-fe.h ] && pq=(-DPQ -I/usr/include/postgresql -lpq)
build() { # NAME COMPILER FLAG...
	local name=$1
	shift
	"$@" -D_GNU_SOURCE -Wall -Wextra -Werror -o "$work/$name" "$here/stack_calls.c" -lsqlite3 -lpthread "${pq[@]}" 2>"$work/build.log" ||
		{ tail -n 5 "$work/build.log"; exit 1; }
}
build frames gcc -O2 -fno-omit-frame-pointer || skip "no SQLite to build with"
build frameless gcc -O2 -fomit-frame-pointer
build none gcc -O0
build nodebug gcc -O2 -g -fomit-frame-pointer && strip -g "$work/nodebug"
build stripped gcc -O2 -fomit-frame-pointer && strip "$work/stripped"
build plus g++ -x c++ -O2 -fomit-frame-pointer
build fixed gcc -O2 -fno-pie -no-pie

# run NAME COMMAND...: bare and traced; the same output; leaves it in $work/with.
run() {
	local name=$1
	shift
	"$@" >"$work/bare" 2>&1 </dev/null
	: >"$spans"
	traced "$name" env LD_PRELOAD="${front:+$front }$lib" OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/metrics" \
		"$@" >"$work/with" 2>&1 </dev/null
	cmp -s "$work/bare" "$work/with" || bad "$name: the program sees a difference: $(diff "$work/bare" "$work/with")"
}
stacks() { flat "$spans" | jq -r '.a["code.stacktrace"] // empty | gsub("\n"; " ")'; }
askers() { flat "$spans" | jq -r '.a["code.function.name"] // empty' | xargs; }
# The functions of the program's own frames, one stack a line.
functions() { # PROGRAM
	flat "$spans" | jq -r --arg program "$1" '.a["code.stacktrace"] // empty | [split("\n")[] | select(startswith($program + "(")) |
		capture("\\((?<name>[^+]*)\\+0x").name | select(startswith("the_"))] | join(" ")'
}
missing() { # REASON
	jq -s --arg reason "$1" 'last | [.resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.stacks.missing") |
		.sum.dataPoints[] | select(any(.attributes[]; .value.stringValue == $reason)) | .asInt | tonumber] | add' "$work/metrics"
}
three="the_query the_report the_request"

# --- in a library in the process: however the program was built --------------------------------------------------------------
for program in frames frameless none nodebug plus fixed; do
	run "$program" "$work/$program" sqlite
	expect "$program: the one that failed and the slow one name their callers in order" "$three
$three" "$(functions "$program")"
	expect "$program: quick ones do not" "4 2" "$(flat "$spans" | jq -rs '"\(length) \(map(select(.a["code.stacktrace"])) | length)"')"
	expect "$program: which of them" "true true" "$(flat "$spans" | jq -rs 'map(select(.a["code.stacktrace"])) | "\(.[0].code == 2) \(.[1].end - .[1].start > 250000000)"')"
	stacks | grep -qi tagalong && bad "$program: frames of ours: $(stacks)"
	stacks | grep -qE "^$program\([a-z_]+\+0x[0-9a-f]+\) .*$program\(main\+0x[0-9a-f]+\) libc\.so\.6\(.* $program\(_start\+0x[0-9a-f]+\)$" ||
		bad "$program: not the whole stack: $(stacks)"
done
expect "the optimised ones' innermost frame is the one that asked" "the_query the_query" "$(run frameless "$work/frameless" sqlite; askers)"
run stripped "$work/stripped" sqlite
expect "without any symbols: no name" "" "$(askers)"
stacks | head -n 1 | grep -qE '^(stripped\(\+0x[0-9a-f]+\) ){4,}libc' || bad "stripped: addresses: $(stacks)"

# --- on the wire, on whatever stack ------------------------------------------------------------------------------------------------
port=$(free_port)
mkdir "$work/www"
background /usr/bin/python3 -m http.server -b 127.0.0.1 -d "$work/www" "$port"
wait_port "$port" || exit 1
free=$(free_port)
for way in "http $port" "refused $free" "thread $port" "context $port" "signal $port"; do
	run "${way% *}" "$work/frameless" $way
	expect "${way% *}: callers" "$three" "$(functions frameless)"
done
stacks | grep -qE ' frameless\(on_signal\+0x[0-9a-f]+\) libc\.so\.6\(\+0x[0-9a-f]+\) .*frameless\(main\+' || bad "in a handler: what it interrupted: $(stacks)"
run altstack "$work/frameless" altstack "$port"
expect "a stack that nobody knows the end of" "1  1" "$(count_spans) $(stacks) $(missing unknown_stack)"
for way in left loop; do
	run "$way" "$work/frameless" "$way" "$port"
	expect "$way: what reads the answer is not who asked" "1  1" "$(count_spans) $(stacks) $(missing elsewhere)"
done

if [ ${#pq[@]} = 0 ]; then
	echo "left out: PostgreSQL is not installed"
else
	PATH=$bin:$PATH
	export PGHOST=$work PGPORT=$(free_port) PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable PGCONNECT_TIMEOUT=20
	as_server=() # it does not run as root
	[ "$(id -u)" = 0 ] && as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
	mkdir "$work/data"
	[ "$(id -u)" = 0 ] && chown postgres "$work/data"
	"${as_server[@]}" initdb -D "$work/data" -U postgres -A trust -N --no-locale >"$work/initdb.log" 2>&1 ||
		{ tail -n 5 "$work/initdb.log"; exit 1; }
	background "${as_server[@]}" postgres -D "$work/data" -c "port=$PGPORT" -c "unix_socket_directories=$work" -c fsync=off \
		-c "listen_addresses="
	for _ in $(seq 200); do pg_isready -q && break; sleep 0.05; done
	for program in frames frameless nodebug; do
		run "$program" "$work/$program" pq
		expect "$program: a server's statement that failed, and a slow one" "$three
$three" "$(functions "$program")"
		expect "$program: libc and libpq have not asked" "the_query the_query" "$(askers | sed 's/\bpq\b/the_query/g')"
		stacks | grep -q 'libpq\.so\.5([A-Za-z]*+0x' || bad "$program: no frame of libpq: $(stacks)"
	done
	TAGALONG_STACK_THRESHOLD='' run default "$work/frameless" pq "select pg_sleep(1.1)"
	expect "the default is a second" "$three
$three" "$(functions frameless)"
	TAGALONG_STACK_THRESHOLD=5000 run later "$work/frameless" pq
	expect "a higher threshold: the one that failed" 1 "$(functions frameless | wc -l)"
fi

# --- a program under AddressSanitizer, and one that throws through the call ----------------------------------------------------
if [ -n "${SAN_RUNTIME:-}" ]; then
	echo "left out: an ASan program behind a sanitized library"
else
	build asan gcc -O1 -fsanitize=address
	front=$(gcc -print-file-name=libasan.so)
	ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 run asan "$work/asan" sqlite
	expect "AddressSanitizer: callers" "$three
$three" "$(functions asan)"
	ASAN_OPTIONS=detect_leaks=1 run asan "$work/asan" http "$port"
	expect "AddressSanitizer, on the wire: callers" "$three" "$(functions asan)"
	expect "AddressSanitizer: it reads for the program, which asked" "libasan.so http_read" "$(stacks | cut -d'(' -f1) $(askers)"
	front=
fi
g++ -O2 -Wall -Wextra -Werror -fomit-frame-pointer -o "$work/throw" "$here/stack_throw.cc" -lsqlite3 || exit 1
"$work/throw" "$work/throw" >"$work/bare" || bad "throw: bare"
: >"$spans"
traced throw "$work/throw" "$spans" >"$work/with" || bad "throw: it did not end well"
cmp -s "$work/bare" "$work/with" || bad "throw: it unwinds in another way: $(diff "$work/bare" "$work/with")"
expect "throw: the slow ones that were left by an exception, and the one that failed" 4 \
	"$(stacks | grep -c '^throw(shop::Orders<...>::the_query<...>+0x[0-9a-f]*) throw(shop::the_report+0x[0-9a-f]*) throw(the_request+0x[0-9a-f]*) throw(main+')"
expect "throw: as it is written" "shop::Orders<...>::the_query<...>" "$(flat "$spans" | jq -r '.a["code.function.name"]' | sort -u)"

# --- a plug-in that is unloaded as soon as its calls have failed -----------------------------------------------------------------
build plugin.so gcc -O2 -fPIC -shared -Dmain=plugin_main
gcc -O1 -o "$work/host" -x c - -ldl <<-'END' || exit 1
	#include <dlfcn.h>
	int main(int count, char **words)
	{
		void *plugin = dlopen(words[1], RTLD_NOW);
		int (*run)(int, char **) = (int (*)(int, char **))dlsym(plugin, "plugin_main");
		int answer = run ? run(count - 1, words + 1) : 1;
		return dlclose(plugin) || answer;
	}
END
OTEL_BSP_SCHEDULE_DELAY=5000 run plugin env OTEL_BSP_SCHEDULE_DELAY=5000 "$work/host" "$work/plugin.so" sqlite
expect "a plug-in that is gone: callers" "$three
$three" "$(functions plugin.so)"

# --- an interpreter ---------------------------------------------------------------------------------------------------------------
cat >"$work/ask.py" <<-'END'
	import sqlite3
	base = sqlite3.connect(":memory:")
	base.execute("CREATE TABLE t(a UNIQUE)")
	base.execute("INSERT INTO t VALUES(1)")
	try: base.execute("INSERT INTO t VALUES(1)")
	except sqlite3.Error as e: print(e)
END
run python /usr/bin/python3 "$work/ask.py"
stacks | grep -q '_PyEval_EvalFrameDefault+0x.*Py_BytesMain+0x' || bad "python: its native frames: $(stacks)"

# --- when it is loaded, and when it is not there ---------------------------------------------------------------------------------
unwinder="not there"
[ -n "${SAN_RUNTIME:-}" ] && unwinder="there" # the runtime's own
quick() { traced quick env LD_PRELOAD="$lib" "$@"; }
: >"$spans"
expect "quick calls do not load it" "libunwind not there, its functions not seen, the host's unwinder $unwinder" \
	"$(quick "$work/frameless" maps "$spans" 0)"
: >"$spans"
expect "one that failed does, to itself" "libunwind there, its functions not seen, the host's unwinder $unwinder" \
	"$(quick "$work/frameless" maps "$spans" 1)"
: >"$spans"
expect "off" "libunwind not there, its functions not seen, the host's unwinder $unwinder" \
	"$(TAGALONG_STACK_THRESHOLD=off quick "$work/frameless" maps "$spans" 1)"
expect "off: no stacks" "3 " "$(count_spans) $(stacks)"
mkdir "$work/hidden"
: >"$work/hidden/libunwind-x86_64.so.8" # the loader looks no further
LD_LIBRARY_PATH=$work/hidden run hidden "$work/frameless" sqlite
expect "not there: the spans are, without stacks, and counted" "4  2" "$(count_spans) $(stacks) $(missing no_libunwind)"
[ -s "$work/with" ] && ! grep -qi unwind "$work/with" || bad "not there: something is said of it: $(cat "$work/with")"

# --- hundreds of them: each has its stack, and where there is no room for all the spans are there all the same --------------------
: >"$spans"
quick "$work/frameless" maps "$work/frameless" 300 >/dev/null
wait_spans 302
expect "three hundred that failed" 300 "$(stacks | grep -c the_request)"
: >"$spans"
traced crowd env LD_PRELOAD="$lib" TAGALONG_QUEUE_BYTES=64K OTEL_BSP_SCHEDULE_DELAY=1000 OTEL_METRICS_EXPORTER=otlp_file \
	TAGALONG_METRICS_FILE="$work/metrics" "$work/frameless" maps "$work/frameless" 60 >/dev/null
expect "a small queue: spans, and stacks or their number" "62 60" "$(count_spans) $(($(stacks | wc -l) + $(missing no_room)))"
finish
