#!/usr/bin/env bash
# Attributes, names, statuses and errors of HTTP spans (otel.md 5.0-5.2), both sides, with real programs.
. "$(dirname "$0")/lib.sh"
need curl jq /usr/bin/python3

port=$(free_port)
cat >"$work/server.py" <<'PY'
import http.server, sys, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, status, body=b"hello", **headers):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        if "Transfer_Encoding" not in headers: self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/chunked": self.reply(200, b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", Transfer_Encoding="chunked")
        elif path == "/redirect": self.reply(302, Location="/landed")
        elif path == "/redirect2": self.reply(307, Location=f"http://127.0.0.1:{sys.argv[1]}/redirect")
        elif path == "/broken": self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"); self.close_connection = True
        elif path == "/vanish": self.close_connection = True
        elif path == "/early": self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); self.reply(200)
        elif path == "/old": self.protocol_version = "HTTP/1.0"; self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nuntil close"); self.close_connection = True
        elif path == "/upgrade":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self.wfile.write(b"GET /not-a-request HTTP/1.1\r\n\r\n"); self.close_connection = True
        elif path.startswith("/status/"): self.reply(int(path[8:]), b"" if path.endswith(("204", "304")) else b"hello")
        else: self.reply(200, X_Answer="42")
    do_HEAD = do_PURGE = do_DELETE = do_GET
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"])); self.reply(201)
    def log_message(self, *a): pass
class S(http.server.ThreadingHTTPServer):
    def handle_error(self, *a): pass
S(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
start_traced server env OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS=X-Asked,accept \
	OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS=x-answer /usr/bin/python3 "$work/server.py" "$port"
wait_port "$port" || exit 1
base=http://127.0.0.1:$port
ask() { traced client env OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS=x-answer curl -s -o /dev/null --max-time 5 "$@"; }

ask -H 'X-Asked: one' -H 'X-Asked: two' -A 'agent/1' "http://user:secret@localhost:$port/page?a=1&sig=top&b=2#frag"
ask -I "$base/head"
ask -X PURGE "$base/odd"
ask -d 'a=b' -H 'Expect: 100-continue' "$base/post"
ask "$base/chunked"
ask "$base/early"
ask --http1.0 "$base/old"
ask "$base/status/204"; ask "$base/status/304"; ask "$base/status/404"; ask "$base/status/503"
# What the wire alone can tell, by a client that is not libcurl's; and what libcurl says itself.
wire() { traced wire /usr/bin/python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$@" >/dev/null 2>&1; }
for client in wire ask; do $client "$base/broken"; $client "$base/vanish"; $client "http://127.0.0.1:1/refused"; done
ask -L "$base/redirect2"
ask -H 'Connection: Upgrade' -H 'Upgrade: echo' "$base/upgrade"
ask -H 'X-Forwarded-For: 203.0.113.9, 10.0.0.1' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: shop.example' "$base/forwarded"
ask -H 'Forwarded: for="[2001:db8::1]:4711";proto=https;host=a.example:8443' "$base/forwarded7239"
wait_spans 44
sleep 0.3
expect "spans" 44 "$(count_spans)"
flat "$spans" >"$work/flat"
one() { # service path filter
	jq -c "select(.service == \"$1\" and ((.a[\"url.path\"] // .a[\"url.full\"] // \"\") | test(\"$2\"))) | $3" "$work/flat"
}
s() { one server "^$1\$" "$2"; }
c() { one client "$1" "$2"; }
w() { one wire "$1" "$2"; }

expect "server: who and what" \
	'["GET",2,"GET","/page","a=1&sig=REDACTED&b=2","http","localhost","'$port'","127.0.0.1","127.0.0.1","1.1","agent/1","200",0]' \
	"$(s /page '[.name, .kind, .a["http.request.method"], .a["url.path"], .a["url.query"], .a["url.scheme"], .a["server.address"], .a["server.port"], .a["client.address"], .a["network.peer.address"], .a["network.protocol.version"], .a["user_agent.original"], .a["http.response.status_code"], .code]')"
expect "server: captured headers" '[["one","two"],["*/*"],["42"]]' \
	"$(s /page '[(.a["http.request.header.x-asked"], .a["http.request.header.accept"], .a["http.response.header.x-answer"]) | .values | map(.stringValue)]')"
expect "client: where to" '["GET",3,"GET","localhost","'$port'","http://REDACTED:REDACTED@localhost:'$port'/page?a=1&sig=REDACTED&b=2","127.0.0.1","'$port'","1.1","200",0]' \
	"$(c /page '[.name, .kind, .a["http.request.method"], .a["server.address"], .a["server.port"], .a["url.full"], .a["network.peer.address"], .a["network.peer.port"], .a["network.protocol.version"], .a["http.response.status_code"], .code]' |
		sed "s|http://localhost:$port/page|http://REDACTED:REDACTED@localhost:$port/page|")"
expect "client: captured header" '["42"]' "$(c /page '.a["http.response.header.x-answer"].values | map(.stringValue)')"
expect "HEAD" '["HEAD","200"]' "$(s /head '[.name, .a["http.response.status_code"]]')"
expect "a method nobody knows" '["HTTP","_OTHER","PURGE"]' "$(s /odd '[.name, .a["http.request.method"], .a["http.request.method_original"]]')"
expect "POST with 100-continue" '["POST","201"]' "$(s /post '[.name, .a["http.response.status_code"]]')"
for path in chunked early old; do expect "$path" '["GET","200",0]' "$(s /$path '[.name, .a["http.response.status_code"], .code]')"; done
expect "HTTP/1.0" '"1.0"' "$(s /old '.a["network.protocol.version"]')"
expect "204 and 304" '["204",0]["304",0]' "$(s '/status/.04' 'select(.a["http.response.status_code"] | test("[23]04")) | [.a["http.response.status_code"], .code]' | tr -d '\n')"
expect "404 is no error of the server" '["404",0,null]' "$(s /status/404 '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "404 is an error of the client" '["404",2,"404"]' "$(c /status/404 '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "503 is one of both" '["503",2,"503"]["503",2,"503"]' \
	"$( (s /status/503 '[.a["http.response.status_code"], .code, .a["error.type"]]'; c /status/503 '[.a["http.response.status_code"], .code, .a["error.type"]]') | tr -d '\n')"
expect "a body cut short: client" '["200",2,"response_truncated"]' "$(w /broken '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "no answer: client" '[null,2,"response_truncated"]' "$(w /vanish '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "no answer: server" '[null,2,"response_truncated"][null,2,"response_truncated"]' "$(s /vanish '[.a["http.response.status_code"], .code, .a["error.type"]]' | tr -d '\n')"
expect "a body cut short: libcurl" '["200",2,"CURLE_PARTIAL_FILE"]' "$(c /broken '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "no answer: libcurl" '[null,2,"CURLE_GOT_NOTHING"]' "$(c /vanish '[.a["http.response.status_code"], .code, .a["error.type"]]')"
expect "a refused connection: libcurl" '["GET",3,"CURLE_COULDNT_CONNECT","127.0.0.1","1",2]' \
	"$(c /refused '[.name, .kind, .a["error.type"], .a["server.address"], .a["server.port"], .code]')"
expect "redirects: a span each, counted" '[["redirect2",null],["redirect",1],["landed",2]]' \
	"$(jq -s -c --arg b "$base/" '[.[] | select(.service == "client" and ((.a["url.full"] // "") | test("/(redirect2?|landed)$")))] | sort_by(.start) | map([(.a["url.full"] | sub($b; "")), (.a["http.request.resend_count"] // null | if . then tonumber else null end)])' "$work/flat")"
expect "Upgrade: the handshake is the span, nothing after it" '["101"]' "$(jq -s -c '[.[] | select(.service == "server" and (.a["url.path"] | test("upgrade|not-a-request"))) | .a["http.response.status_code"]]' "$work/flat")"
expect "a refused connection" '["connect",3,"connection_refused","127.0.0.1","1",2]' \
	"$(jq -c 'select(.name == "connect") | [.name, .kind, .a["error.type"], .a["server.address"], .a["server.port"], .code]' "$work/flat")"
expect "X-Forwarded-*" '["203.0.113.9","https","shop.example"]' "$(s /forwarded '[.a["client.address"], .a["url.scheme"], .a["server.address"]]')"
expect "Forwarded" '["2001:db8::1","https","a.example","8443"]' "$(s /forwarded7239 '[.a["client.address"], .a["url.scheme"], .a["server.address"], .a["server.port"]]')"
expect "every server span is the child of its client span" "[]" \
	"$(jq -s -c '(map(select(.service == "client" or .service == "wire") | {key: .span, value: 1}) | from_entries) as $c | [.[] | select(.service == "server" and ($c[.parent] | not)) | .a["url.path"]]' "$work/flat")"
finish
