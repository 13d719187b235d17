#!/usr/bin/env bash
# memcached and its clients, ASCII, meta and binary: what the server's own counters saw has a span, no more and no fewer; output as
# without us.
. "$(dirname "$0")/lib.sh"
need memcached memccat memccp memcrm memcslap memcflush jq php perl
here=$top/tests/integration/snippets
port=$(free_port)
socket=$work/memcached.sock
gcc -O1 -w -o "$work/calls" "$here/memcached_calls.c" -lmemcached || skip "no libmemcached to build a client"
user=()
[ "$(id -u)" = 0 ] && user=(-u root)

for way in tcp unix; do
	listen=(-l 127.0.0.1 -p "$port" -U 0)
	[ $way = unix ] && listen=(-s "$socket")
	memcached "${user[@]}" -m 256 -I 64m "${listen[@]}" >>"$work/server.log" 2>&1 &
	pids+=($!)
done
wait_port "$port" || { tail -n 20 "$work/server.log"; exit 1; }
for _ in $(seq 600); do [ -S "$socket" ] && break; sleep 0.05; done

# ask tcp|unix LINE: the server's answer, untraced.
ask() {
	/usr/bin/python3 - "$port" "$socket" "$@" <<'EOP'
import socket, sys
port, path, way, line = sys.argv[1:]
s = socket.socket(socket.AF_UNIX if way == "unix" else socket.AF_INET)
s.connect(path if way == "unix" else ("127.0.0.1", int(port)))
s.sendall(line.encode() + b"\r\nquit\r\n")
print(s.makefile().read().replace("\r", ""), end="")
EOP
}
# Commands that the server executed for clients: keys got, keys set ...
counted() { ask "$1" stats | awk '$2 ~ /^(cmd_get|cmd_set|cmd_touch|delete_hits|delete_misses|incr_hits|incr_misses|decr_hits|decr_misses)$/ { n += $3 } END { print n + 0 }'; }
told() { jq -r 'select(.a["db.system.name"] == "memcached" and (.a["db.operation.name"] | test("^(PIPELINE )?(get|gets|gat|set|add|replace|append|prepend|cas|delete|incr|decr|touch|mg|ms|md|ma)$")))
	| .a["db.operation.batch.size"] // 1' "$1" | awk '{ n += $1 } END { print n + 0 }'; }
# client NAME tcp|unix MORE COMMAND...: bare, then traced: the same output, and the server's count, which has MORE: keys after the
# first of a command, less what was refused before it was counted.
client() {
	local name=$1 way=$2 more=$3 count
	shift 3
	ask "$way" flush_all >/dev/null
	"$@" >"$work/$name.bare" 2>&1 </dev/null
	ask "$way" flush_all >/dev/null
	ask "$way" "stats reset" >/dev/null
	: >"$spans"
	traced "$name" "$@" >"$work/$name.out" 2>&1 </dev/null
	[ -n "${noisy:-}" ] || cmp -s "$work/$name.bare" "$work/$name.out" || { bad "$name: its output changed"; diff "$work/$name.bare" "$work/$name.out" | head; }
	count=$(counted "$way")
	[ "$count" -gt 0 ] || bad "$name: made no call: $(head -n 3 "$work/$name.out")"
	for _ in $(seq 100); do
		flat "$spans" >"$work/$name.flat" 2>/dev/null
		[ "$(told "$work/$name.flat")" -ge $((count - more)) ] && break
		sleep 0.05
	done
	expect "$name: a command told for each that the server saw" "$((count - more))" "$(told "$work/$name.flat")"
	expect "$name: CLIENT spans, none incomplete, nothing of keys or values" "true" "$(jq -s 'all(.kind == 3 and (.a["tagalong.incomplete"] == null)
		and (.a["db.query.text"] == null) and (.a["db.namespace"] == null) and (tostring | contains("secret") | not))' "$work/$name.flat")"
}
errors() { jq -r '.a["error.type"] // empty' "$work/$1.flat" | sort | uniq -c | awk '{ printf "%s%s x%s", (NR > 1 ? ", " : ""), $2, $1 }'; }
batches() { jq -r "select(.a[\"db.operation.name\"] == \"$2\") | .a[\"db.operation.batch.size\"]" "$work/$1.flat" | sort | paste -sd,; }

for way in tcp unix; do
	path=""
	[ $way = unix ] && path=$socket
	client "ascii_$way" $way 2 "$work/calls" 127.0.0.1 "$port" "$path" ascii
	expect "ascii_$way: errors" "CLIENT_ERROR x1" "$(errors "ascii_$way")"
	client "binary_$way" $way -1 "$work/calls" 127.0.0.1 "$port" "$path" binary
	expect "binary_$way: a get of many keys is a pipeline" "4" "$(batches "binary_$way" "PIPELINE get")"
	client "noreply_$way" $way 3 "$work/calls" 127.0.0.1 "$port" "$path" noreply
	client "binary_noreply_$way" $way 0 "$work/calls" 127.0.0.1 "$port" "$path" binary_noreply
	expect "noreply_$way: no error" "" "$(errors "noreply_$way")$(errors "binary_noreply_$way")"
	client "pymemcache_$way" $way 1 /usr/bin/python3 "$here/memcached_calls.py" "$port" "$path" pymemcache
	expect "pymemcache_$way: errors" "CLIENT_ERROR x1" "$(errors "pymemcache_$way")"
	client "memcache_$way" $way 2 /usr/bin/python3 "$here/memcached_calls.py" "$port" "$path" memcache
	client "meta_$way" $way -1 /usr/bin/python3 "$here/memcached_calls.py" "$port" "$path" meta
	expect "meta_$way: quiet reads and what ends them" "3" "$(batches "meta_$way" "PIPELINE mg")"
	expect "meta_$way: a pipeline" "2" "$(batches "meta_$way" "PIPELINE get")"
	expect "meta_$way: errors" "CLIENT_ERROR x1" "$(errors "meta_$way")"
done
expect "a port that is not 11211 is told" "$port" "$(jq -r '.a["server.port"]' "$work/ascii_tcp.flat" | sort -u)"
expect "a socket's path is the address" "$socket" "$(jq -r '.a["server.address"]' "$work/ascii_unix.flat" | sort -u)"
expect "a name" "get 127.0.0.1:$port" "$(jq -r 'select(.name | startswith("get")).name' "$work/ascii_tcp.flat" | sort -u)"

printf secret >"$work/secret.txt"
for binary in "" --binary; do
	client "tools$binary" tcp 0 sh -c 'for t in memccp\ "$3" memccat\ secret.txt memcrm\ secret.txt memccat\ secret.txt; do
		set -- "$1" "$2" "$3" $t; tool=$4; shift 4; "$tool" $0 --servers=127.0.0.1:'"$port"' "$1" 2>&1; set -- x x "'"$work/secret.txt"'"; done; true' $binary x "$work/secret.txt"
done
noisy=1 client slap tcp 0 memcslap --servers="127.0.0.1:$port" --concurrency=4 --execute-number=500 --test=set
noisy=1 client slap_binary tcp 0 memcslap --servers="127.0.0.1:$port" --concurrency=4 --execute-number=500 --test=set --binary
if [ -n "${SAN_RUNTIME:-}" ]; then
	echo "left out: PHP opens its modules with RTLD_DEEPBIND, at which a sanitizer's runtime ends it, with us or without"
elif php -r 'exit(class_exists("Memcached") ? 0 : 1);'; then
	for binary in 0 1; do
		client "php_$binary" tcp $((binary ? 0 : 1)) php -r '$m = new Memcached(); $m->setOption(Memcached::OPT_BINARY_PROTOCOL, (bool)$argv[2]);
			$m->addServer("127.0.0.1", (int)$argv[1]); var_dump($m->set("k", "secret"), $m->get("k"), $m->get("none"), $m->getMulti(["k", "none"]),
			$m->delete("k"), $m->add("n", 5), $m->increment("n"));' "$port" $binary
	done
else
	bad "php-memcached is not installed"
fi
client perl tcp 1 perl -MCache::Memcached -e '$m = Cache::Memcached->new({servers => ["127.0.0.1:$ARGV[0]"]});
	print $m->set("k", "secret"), $m->get("k"), "|", $m->get("none") // "none", "|", join(",", %{$m->get_multi("k", "none")}), $m->delete("k"), "\n"' "$port"

# --- whose call is it?
cat >"$work/app.py" <<EOP
import http.server
from pymemcache.client.base import Client
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        c = Client(("127.0.0.1", $port))
        c.add("hits", "0", noreply=True)
        body = str(c.incr("hits", 1)).encode()
        c.close()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(__import__("sys").argv[1])), H).serve_forever()
EOP
app=$(free_port)
: >"$spans"
start_traced app /usr/bin/python3 "$work/app.py" "$app"
wait_port "$app" || exit 1
seq 40 | xargs -P 8 -I{} curl -s -o /dev/null "http://127.0.0.1:$app/{}"
for _ in $(seq 100); do flat "$spans" >"$work/app.flat"; [ "$(grep -cE '"name":"(incr|add) ' "$work/app.flat") $(grep -c '"kind":2' "$work/app.flat")" = "80 40" ] && break; sleep 0.05; done
for verb in add incr; do
	expect "each $verb is its own request's" "40 40" "$(jq -rs '(map(select(.kind == 2) | .span)) as $servers |
		[.[] | select(.name | startswith("'$verb' ")) | .parent] | "\(map(select(. as $p | $servers | index($p))) | length) \(unique | length)"' "$work/app.flat")"
done
stop_last

# --- the client gives up; the server dies in the middle of a call: it is stopped, asked, and killed; nobody listens
: >"$spans"
server=${pids[0]}
kill -STOP "$server" && for task in /proc/"$server"/task/*/stat; do until grep -q ') T ' "$task"; do sleep 0.01; done; done
traced late /usr/bin/python3 -c 'import socket, sys
from pymemcache.client.base import Client
try: Client(("127.0.0.1", int(sys.argv[1])), timeout=0.3).get("a")
except socket.timeout: print("given up")' "$port" >"$work/late.out" 2>&1
expect "pymemcache gives up" "given up" "$(cat "$work/late.out")"
kill -CONT "$server"
traced lost /usr/bin/python3 -c 'import glob, socket, sys, os, signal, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"version\r\n"); s.recv(100)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
while any(open(task).read().rpartition(")")[2].split()[0] != "T" for task in glob.glob("/proc/" + sys.argv[2] + "/task/*/stat")):
    time.sleep(0.01) # each thread stops when it is next looked at: until then it may answer
s.sendall(b"get a\r\n")
os.kill(int(sys.argv[2]), signal.SIGKILL)
try:
    s.recv(100)
except OSError: pass' "$port" "$server"
traced gone /usr/bin/python3 -c 'import sys
from pymemcache.client.base import Client
try: Client(("127.0.0.1", int(sys.argv[1]))).get("a")
except ConnectionRefusedError: print("refused")' "$port" >"$work/gone.out" 2>&1
expect "nobody listens" refused "$(cat "$work/gone.out")"
wait_spans 4
expect "errors" "gone connect connection_refused 2, late get timeout 2, lost get response_truncated 2" "$(flat "$spans" |
	jq -r 'select(.code == 2) | "\(.service) \(.name | split(" ")[0]) \(.a["error.type"]) \(.code)"' | sed 's/connection_reset/response_truncated/' | sort | paste -sd, | sed 's/,/, /g')"
finish
