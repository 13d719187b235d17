#!/usr/bin/env bash
# gRPC between Python programs: a call has one span at each end, the server's a child of the client's, with the method and
# the status that the programs see: unary and streams, refused, late, cancelled, lost. The context arrives once.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
need jq curl $python
$python -c 'import grpc' 2>/dev/null || skip "python3-grpcio is not installed"
pair=$top/tests/integration/snippets/grpc_pair.py
service=demo.v1.LongNamedInventoryServiceForTests
back=$(free_port) front=$(free_port)

start_traced back $python "$pair" server "$back"
wait_port "$back" || exit 1
start_traced front $python "$pair" server "$front" "127.0.0.1:$back"
wait_port "$front" || exit 1

# case expected-answer method status client-error server-error
while read -r case answer method status client server; do
	: >"$spans"
	expect "$case: answer" "$case $answer" "$(traced client $python "$pair" client "127.0.0.1:$back" "$case")"
	wait_spans 2
	expect "$case: the client's span" "3 $service/$method grpc $service/$method $status $client 127.0.0.1:$back" "$(flat "$spans" |
		jq -r 'select(.service == "client") | "\(.kind) \(.name) \(.a["rpc.system.name"]) \(.a["rpc.method"]) \(.a["rpc.status_code"]) "
			+ "\(.a["error.type"] // "fine") \(.a["server.address"]):\(.a["server.port"])"')"
	[ "$status" = UNIMPLEMENTED ] && name=grpc called=_OTHER || name=$service/$method called=$service/$method
	expect "$case: the server's span" "2 $name $called $status $server" "$(flat "$spans" |
		jq -r 'select(.service == "back") | "\(.kind) \(.name) \(.a["rpc.method"]) \(.a["rpc.status_code"]) \(.a["error.type"] // "fine")"')"
	expect "$case: child of the client's" true "$(flat "$spans" | jq -s 'length == 2 and
		([.[] | select(.service == "client")][0] as $c | [.[] | select(.service == "back")][0]
		| .parent == $c.span and .trace == $c.trace and (.code == 2) == (.a["error.type"] != null))')"
	expect "$case: nothing of HTTP" 0 "$(grep -c '"http\.' "$spans")"
done <<'END'
count 0,1,2 Count OK fine fine
total 5 Total OK fine fine
chat a,b,c Chat OK fine fine
NOT_FOUND NOT_FOUND Fail NOT_FOUND NOT_FOUND fine
INTERNAL INTERNAL Fail INTERNAL INTERNAL INTERNAL
missing UNIMPLEMENTED NoSuchMethod UNIMPLEMENTED UNIMPLEMENTED UNIMPLEMENTED
deadline DEADLINE_EXCEEDED Slow DEADLINE_EXCEEDED DEADLINE_EXCEEDED DEADLINE_EXCEEDED
cancel CANCELLED Slow CANCELLED CANCELLED fine
END

# The context is one field, and the client span's own.
: >"$spans"
answer=$(traced client $python "$pair" client "127.0.0.1:$back" echo)
wait_spans 2
expect "the server reads the client span's context, once" "$answer" "$(flat "$spans" |
	jq -r 'select(.kind == 3) | "echo 00-\(.trace)-\(.span)-03"')"

# In flight together, on one connection.
: >"$spans"
expect "100 at a time" "100 100" "$(traced client $python "$pair" client "127.0.0.1:$back" 100)"
wait_spans 200
sleep 0.2
expect "100 pairs" "200 100" "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by | "\(length) " +
	"\(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace)) | length)"')"

# A server that calls on: its pool's threads have read nothing, so a call is the request's only where that is certain.
: >"$spans"
expect "relayed: nobody's call is another's" "relay:60 60 done, 0 stitched, 60 apart" \
	"$($python "$pair" client "127.0.0.1:$front" relay:60)"
wait_spans 180
expect "relayed: spans" "60 60 60" "$(flat "$spans" |
	jq -rs '[("front 2", "front 3", "back 2") as $k | map(select("\(.service) \(.kind)" == $k)) | length] | join(" ")')"
expect "relayed: pairs" 60 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by |
	map(select(.service == "back" and $by[.parent].service == "front" and $by[.parent].kind == 3)) | length')"
expect "relayed: a parent is the one that it has" 0 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by |
	map(select(.service == "front" and .kind == 3 and .parent != "" and $by[.parent].trace != .trace)) | length')"

# A thread that has read a request and calls on by itself: certain.
web=$(free_port)
cat >"$work/web.py" <<EOP
import grpc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

channel = grpc.insecure_channel("127.0.0.1:$back")
grpc.channel_ready_future(channel).result(timeout=10)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        said = channel.unary_unary("/$service/Echo")(b"x", timeout=5)
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


ThreadingHTTPServer(("127.0.0.1", $web), Handler).serve_forever()
EOP
start_traced web $python "$work/web.py"
wait_port "$web" || exit 1
: >"$spans"
for _ in 1 2 3; do curl -s -o /dev/null "http://127.0.0.1:$web/"; done
wait_spans 9
expect "from HTTP to gRPC in one trace" 3 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by |
	map(select(.service == "back" and $by[$by[.parent].parent].name == "GET" and $by[$by[.parent].parent].trace == .trace)) | length')"

# Over a unix socket.
: >"$spans"
GRPC_SLOW=$work/slow start_traced local $python "$pair" server "unix:$work/stock.sock"
for _ in $(seq 600); do [ -S "$work/stock.sock" ] && break; sleep 0.05; done
traced client $python "$pair" client "unix:$work/stock.sock" echo >/dev/null
wait_spans 2
expect "a unix socket's server" "$work/stock.sock null" "$(flat "$spans" |
	jq -r 'select(.kind == 3) | "\(.a["server.address"]) \(.a["server.port"])"')"

in_flight() { for _ in $(seq 600); do [ -s "$work/slow" ] && break; sleep 0.05; done; rm -f "$work/slow"; }
# A client that is gone has cancelled; for one whose server is gone the server is unavailable.
: >"$spans"
$python "$pair" client "unix:$work/stock.sock" lost >/dev/null 2>&1 &
client=$!
in_flight
kill -9 $client
wait $client 2>/dev/null
wait_spans 1
expect "the client is gone" "CANCELLED 0 null" "$(flat "$spans" | jq -r '"\(.a["rpc.status_code"]) \(.code) \(.a["error.type"])"')"
: >"$spans"
traced client $python "$pair" client "unix:$work/stock.sock" lost >"$work/lost" &
client=$!
in_flight
kill -9 "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null
unset "pids[-1]"
wait $client
wait_spans 1
expect "the server is gone" "lost UNAVAILABLE / UNAVAILABLE 2 UNAVAILABLE" "$(cat "$work/lost") / $(flat "$spans" |
	jq -r 'select(.service == "client") | "\(.a["rpc.status_code"]) \(.code) \(.a["error.type"])"')"
finish
