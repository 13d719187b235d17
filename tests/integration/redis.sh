#!/usr/bin/env bash
# Redis' server and its clients: what its own counters saw has a span, no more and no fewer; output as without us.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark jq openssl
here=$top/tests/integration/snippets
port=$(free_port) tls_port=$(free_port)
socket=$work/redis.sock
gcc -O1 -w -o "$work/calls" "$here/redis_calls.c" -lhiredis || skip "no hiredis to build a client"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

start_server() {
	redis-server --port "$port" --bind 127.0.0.1 --tls-port "$tls_port" --tls-cert-file "$work/cert.pem" --tls-key-file "$work/key.pem" \
		--tls-ca-cert-file "$work/cert.pem" --tls-auth-clients no --unixsocket "$socket" --save "" --dir "$work" >>"$work/server.log" 2>&1 &
	pids+=($!)
	wait_port "$port" || { tail -n 20 "$work/server.log"; exit 1; }
}
start_server
ask() { redis-cli -p "$port" "$@"; }
# Commands that the server executed for clients, refused ones too; a script's own calls are not counted here.
counted() { ask info commandstats | tr -d '\r' | sed -nE 's/^cmdstat_([^:]*):calls=([0-9]+).*rejected_calls=([0-9]+).*/\1 \2 \3/p' |
	grep -vE '^(info|config.resetstat|command.docs) ' | awk '{ n += $2 + $3 } END { print n + 0 }'; }
# Commands that the spans speak of: one, or a batch's; a transaction has two more.
told() { jq -r 'select(.a["db.system.name"] == "redis" and .a["db.query.text"] != "COMMAND DOCS") | if (.a["db.query.text"] // "" | test("^MULTI; "; "i")) then (.a["db.operation.batch.size"] // 1 | tonumber) + 2
	else (.a["db.operation.batch.size"] // 1 | tonumber) end' "$1" | awk '{ n += $1 } END { print n + 0 }'; }
# client NAME COMMAND...: bare, then traced: the same output, and the server's count.
client() {
	local name=$1
	shift
	ask flushall >/dev/null
	"$@" >"$work/$name.bare" 2>&1 </dev/null
	ask flushall >/dev/null
	ask config resetstat >/dev/null
	: >"$spans"
	traced "$name" "$@" >"$work/$name.out" 2>&1 </dev/null
	[ -n "${noisy:-}" ] || cmp -s "$work/$name.bare" "$work/$name.out" || { bad "$name: its output changed"; diff "$work/$name.bare" "$work/$name.out" | head; }
	local count
	count=$(counted)
	[ "$count" -gt 0 ] || bad "$name: made no call: $(head -n 3 "$work/$name.out")"
	for _ in $(seq 100); do
		flat "$spans" >"$work/$name.flat" 2>/dev/null
		[ "$(told "$work/$name.flat")" -ge "$count" ] && break
		sleep 0.05
	done
	expect "$name: a command told for each that the server saw" "$count" "$(told "$work/$name.flat")"
	expect "$name: CLIENT spans, none incomplete, nothing secret" "true" "$(jq -s 'all(.kind == 3 and (.a["tagalong.incomplete"] == null)
		and (tostring | contains("secret") | not))' "$work/$name.flat")"
}
errors() { jq -r '.a["error.type"] // empty' "$work/$1.flat" | sort | uniq -c | awk '{ printf "%s%s x%s", (NR > 1 ? ", " : ""), $2, $1 }'; }
of() { jq -r "select(.name | startswith(\"$2\")) | $3" "$work/$1.flat" | sort -u | paste -sd,; }

for way in tcp unix; do
	path=""
	[ $way = unix ] && path=$socket
	client "c_$way" "$work/calls" 127.0.0.1 "$port" $path
	expect "c_$way: errors" "ERR x1, MYERR x1, WRONGTYPE x1" "$(errors "c_$way")"
	expect "c_$way: a pipeline" "8" "$(of "c_$way" "PIPELINE INCRBY" '.a["db.operation.batch.size"]')"
	expect "c_$way: a pipeline that is written in many pieces" "40" "$(of "c_$way" "PIPELINE SET" '.a["db.operation.batch.size"]')"
	expect "c_$way: fields, no values" "HMSET h f1 ? f2 ?" "$(of "c_$way" HMSET '.a["db.query.text"]')"
	expect "c_$way: the database in use" "0,1" "$(of "c_$way" GET '.a["db.namespace"]')"
done
expect "a port that is not 6379 is told" "$port,$port" "$(of c_tcp HMSET '.a["server.port"]'),$(of c_tcp HMSET '.a["network.peer.port"]')"
expect "a socket's path is the address" "$socket" "$(of c_unix HMSET '.a["server.address"]')"

if /usr/bin/python3 -c 'import redis' 2>/dev/null; then
	for way in "tcp redis://127.0.0.1:$port" "tls rediss://127.0.0.1:$tls_port" "unix unix://$socket"; do
		client "py_${way%% *}" /usr/bin/python3 "$here/redis_calls.py" "${way#* }"
		expect "py_${way%% *}: a pipeline" 5 "$(of "py_${way%% *}" "PIPELINE RPUSH" '.a["db.operation.batch.size"]')"
		expect "py_${way%% *}: a transaction" "SET q ?; INCRBY q ?; INCRBY q ?" \
			"$(of "py_${way%% *}" "MULTI" '.a["db.query.text"]' | sed 's/^MULTI; //; s/; EXEC$//')"
		expect "py_${way%% *}: subscribed" 1 "$(jq -r 'select(.name | startswith("SUBSCRIBE")) | .span' "$work/py_${way%% *}.flat" | wc -l)"
	done
else
	bad "python3-redis is not installed"
fi
. "$here/npm.sh"
if node_has ioredis; then
	for how in "{\"port\": $port}" "{\"path\": \"$socket\"}"; do
		client ioredis node "$here/redis_calls.js" "$how"
		expect "ioredis $how: errors" "ERR x2, WRONGTYPE x1" "$(errors ioredis)"
		expect "ioredis $how: pipelines, a transaction" "4 2 3" "$(jq -r '.a | select((.["db.query.text"] // "") | test("^(rpush l|incr p; get|multi)")) | .["db.operation.batch.size"]' "$work/ioredis.flat" | paste -sd' ')"
		expect "ioredis $how: subscribed" 1 "$(jq -r 'select(.name | startswith("subscribe")) | .span' "$work/ioredis.flat" | wc -l)"
	done
else
	echo "left out: node's ioredis: ${npm_lacks:-it is not installed}"
fi
printf 'SET a 1\nGET a\nAUTH secret\nMULTI\nINCR a\nEXEC\nGET nothing\n' >"$work/script"
client cli sh -c 'redis-cli -p "$1" <"$2"' sh "$port" "$work/script"
client cli_tls redis-cli -p "$tls_port" --tls --cacert "$work/cert.pem" SET a secret
client cli_resp3 redis-cli -3 -p "$port" HSET h f secret
expect "RESP3 is followed" "HELLO,HSET" "$(jq -r ".a[\"db.operation.name\"]" "$work/cli_resp3.flat" | sort -u | paste -sd,)"
noisy=1 client bench redis-benchmark -p "$port" -q -n 2000 -c 10 -t set,lpush
noisy=1 client bench_16 redis-benchmark -p "$port" -q -n 4000 -c 10 -P 16 -t set,get
expect "redis-benchmark: no error" 0 "$(cat "$work"/bench*.out | grep -ci error)"
if php -r 'exit(class_exists("Redis") ? 0 : 1);'; then
	client php php -r '$r = new Redis(); $r->connect("127.0.0.1", (int)$argv[1]); $r->set("k", "secret"); echo $r->get("k"), "\n";
		print_r($r->multi(Redis::PIPELINE)->incr("n")->incr("n")->exec());' "$port"
fi

# --- what goes wrong: the client gives up, somebody ends its connection, the server dies in the middle of a call, nobody listens
asleep() { for _ in $(seq 100); do ask client list | grep -q cmd=blpop && return; sleep 0.05; done; bad "nobody waits"; }
: >"$spans"
traced late /usr/bin/python3 -c 'import redis, sys
try: redis.Redis(port=int(sys.argv[1]), socket_timeout=0.3, retry_on_timeout=False).blpop("nothing")
except redis.TimeoutError: print("given up")' "$port" >"$work/late.out" 2>&1
expect "redis-py gives up" "given up" "$(cat "$work/late.out")"
traced ended redis-cli -p "$port" BLPOP nothing 0 >"$work/ended.out" 2>&1 &
call=$!
asleep
ask client kill type normal skipme yes >/dev/null
wait "$call"
traced lost redis-cli -p "$port" BLPOP nothing 0 >"$work/lost.out" 2>&1 &
call=$!
asleep
kill -9 "${pids[-1]}"
stop_last
wait "$call"
traced gone redis-cli -p "$port" GET a >"$work/gone.out" 2>&1
wait_spans 4
flat "$spans" | jq -r '"\(.service) \(.name): \(.a["error.type"]) \(.a["db.response.status_code"] // "-") \(.code)"' | sed 's/connection_reset/response_truncated/' |
	sort -u >"$work/wrong"
expect "errors" "ended BLPOP $port: response_truncated - 2
gone connect: connection_refused - 2
late BLPOP $port: timeout - 2
lost BLPOP $port: response_truncated - 2" "$(grep -v 'null - 0$' "$work/wrong" | sed "s/BLPOP.*: /BLPOP $port: /")"
start_server

# --- whose call is it?
cat >"$work/app.py" <<EOP
import http.server, redis
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        client = redis.Redis(port=$port)
        body = str([client.incr("hits") for _ in range(25 if self.path == "/many" else 1)]).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(__import__("sys").argv[1])), H).serve_forever()
EOP
app=$(free_port)
: >"$spans"
start_traced app /usr/bin/python3 "$work/app.py" "$app"
wait_port "$app" || exit 1
seq 40 | xargs -P 8 -I{} curl -s -o /dev/null "http://127.0.0.1:$app/{}"
for _ in $(seq 100); do flat "$spans" >"$work/app.flat"; [ "$(grep -c '"name":"INCRBY' "$work/app.flat") $(grep -c '"kind":2' "$work/app.flat")" = "40 40" ] && break; sleep 0.05; done
expect "each call is its own request's" "40 40" "$(jq -rs '(map(select(.kind == 2) | .span)) as $servers |
	[.[] | select(.name | startswith("INCRBY")) | .parent] | "\(map(select(. as $p | $servers | index($p))) | length) \(unique | length)"' "$work/app.flat")"
stop_last

# --- hiredis' handles: whose a command is that waited in its buffer, and went out together with others'
loop=$(free_port)
gcc -D_GNU_SOURCE -O1 -w -o "$work/loop" "$here/redis_loop.c" -lhiredis && gcc -D_GNU_SOURCE -O1 -w -o "$work/append" "$here/redis_append.c" -lhiredis &&
	gcc -D_GNU_SOURCE -O1 -w -o "$work/load" "$top/tests/causality/load.c" || bad "the loop's programs"
# parents: of the commands on keys that end in a request's id: children of that request, of none, of another one
parents() { jq -rs '(map(select(.kind == 2) | {key: .span, value: (.a["url.path"] | split("/")[2])}) | from_entries) as $asked
	| [.[] | select(.kind == 3) | (.a["db.query.text"] | capture("^\\w+ \\w:(?<id>[0-9]+)").id) as $id
	| if .parent == "" then "orphan" elif $asked[.parent] == $id then "right" else "wrong" end] | group_by(.) | map("\(.[0]) \(length)") | join(", ")' "$1"; }
for mode in "" late; do
	ask config resetstat >/dev/null
	: >"$spans"
	start_traced loop env TAGALONG_QUEUE_BYTES=32M "$work/loop" "$loop" "$port" $mode
	wait_port "$loop" || exit 1
	expect "the loop answers (${mode:-in time})" 1500 "$("$work/load" "$loop" 1500 48 keep calls=3 | sed 's/.*"answered": \([0-9]*\).*/\1/')"
	count=$(counted)
	wait_spans $((count + 1500))
	stop_last
	flat "$spans" >"$work/loop.flat"
	expect "one connection, many requests (${mode:-in time}): each command its own request's, and a span of its own" "right $count" "$(parents "$work/loop.flat")"
	expect "nothing sent (${mode:-in time}) is told" 0 "$(grep -c secret "$work/loop.flat")"
done
: >"$spans"
start_traced append "$work/append" "$loop" "$port"
wait_port "$loop" || exit 1
for i in 1 2 3 4; do curl -s -o /dev/null "http://127.0.0.1:$loop/r/$i/1"; done
wait_spans 8
stop_last
flat "$spans" >"$work/append.flat"
expect "a command that another request sends is its giver's" "right 4" "$(parents "$work/append.flat")"
expect "and no part of that one's pipeline" "PIPELINE 2,PIPELINE 2,SET -,SET -" "$(jq -r 'select(.kind == 3) |
	"\(.a["db.operation.name"]) \(.a["db.operation.batch.size"] // "-")"' "$work/append.flat" | sort | paste -sd,)"

# --- the same again and again in one request
for collapse in "" 5; do
	: >"$spans"
	start_traced many env TAGALONG_DB_COLLAPSE=$collapse /usr/bin/python3 "$work/app.py" "$app"
	wait_port "$app" || exit 1
	curl -s -o /dev/null "http://127.0.0.1:$app/many"
	wait_spans $((${collapse:-24} + 2))
	stop_last
	flat "$spans" >"$work/many.flat"
	expect "N+1 (collapse ${collapse:-off}): told on the request" "INCRBY x 25" \
		"$(jq -r 'select(.kind == 2) | .a["tagalong.repeated_queries"].values[0].stringValue' "$work/many.flat")"
	expect "N+1 (collapse ${collapse:-off}): exported" "${collapse:-25}" "$(jq -r 'select((.name | startswith("INCRBY")) and
		(.a["tagalong.collapsed.count"] == null)) | .span' "$work/many.flat" | wc -l)"
done
expect "N+1: one stands for the rest" "20 true" "$(jq -r 'select(.a["tagalong.collapsed.count"]) | .a | "\(.["tagalong.collapsed.count"]) \(
	.["tagalong.collapsed.min"] <= .["tagalong.collapsed.max"] and .["tagalong.collapsed.max"] <= .["tagalong.collapsed.sum"])"' "$work/many.flat")"
finish
