#!/usr/bin/env bash
# gRPC-Web and Connect: HTTP spans that say which call it was, on both sides, over HTTP/1 and, through nginx, HTTP/2; and how it
# ended where the head of the answer says so.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
need jq curl nginx $python
pair=$top/tests/integration/snippets/rpc_web.py
back=$(free_port) front=$(free_port)
start_traced back $python "$pair" server "$back"
nginx_conf "$work/front" "$front" "$back"
sed -i "s|listen 127.0.0.1:$front;|listen 127.0.0.1:$front http2;|" "$work/front/nginx.conf"
start_traced front nginx -p "$work/front" -c nginx.conf
wait_port "$back" && wait_port "$front" || exit 1

tell() { # SERVICE: of its spans what they say of the call
	flat "$spans" | jq -rs --arg service "$1" 'map(select(.service == $service)) | sort_by(-.kind) | map("\(.kind) \(.name) \(.a["rpc.system.name"] // "-") \(.a["rpc.method"] // "-") "
		+ "\(.a["rpc.method_original"] // "-") \(.a["rpc.status_code"] // "-") \(.a["error.type"] // "-") \(.a["http.request.method"]) \(.a["http.response.status_code"])") | join("; ")'
}
G=demo.v1.Greeter
# kind method answer; client's: name system method original status error; server's
while IFS='|' read -r kind method answer http client server; do
	: >"$spans"
	expect "$kind $method: bare" "$answer" "$($python "$pair" client "127.0.0.1:$back" "$kind" "$method")"
	expect "$kind $method: traced" "$answer" "$(traced client $python "$pair" client "127.0.0.1:$back" "$kind" "$method")"
	wait_spans 3 # the server's of the bare client is among them
	expect "$kind $method: the client's span" "3 $client POST $http" "$(tell client)"
	expect "$kind $method: the server's spans" "2 $server POST $http; 2 $server POST $http" "$(tell back)"
	expect "$kind $method: a pair" 1 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by | map(select(.kind == 2 and $by[.parent].kind == 3)) | length')"
done <<END
web|Hello|200 - hello you|200|$G/Hello grpc $G/Hello - - -|$G/Hello grpc $G/Hello - - -
text|Hello|200 - hello you|200|$G/Hello grpc $G/Hello - - -|$G/Hello grpc $G/Hello - - -
web|Fail|200 13 -|200|$G/Fail grpc $G/Fail - INTERNAL INTERNAL|$G/Fail grpc $G/Fail - INTERNAL INTERNAL
web|Gone|200 5 -|200|$G/Gone grpc $G/Gone - NOT_FOUND NOT_FOUND|$G/Gone grpc $G/Gone - NOT_FOUND -
web|Made.Up|200 12 -|200|$G/Made.Up grpc $G/Made.Up - UNIMPLEMENTED UNIMPLEMENTED|grpc grpc _OTHER $G/Made.Up UNIMPLEMENTED UNIMPLEMENTED
unary|Hello|200 - hello you|200|$G/Hello connectrpc $G/Hello - - -|$G/Hello connectrpc $G/Hello - - -
json|Hello|200 - hello you|200|$G/Hello connectrpc $G/Hello - - -|$G/Hello connectrpc $G/Hello - - -
stream|Hello|200 - hello you|200|$G/Hello connectrpc $G/Hello - - -|$G/Hello connectrpc $G/Hello - - -
unary|Fail|500 - {"code": "internal"}|500|$G/Fail connectrpc $G/Fail - - 500|$G/Fail connectrpc $G/Fail - - 500
unary|Made.Up|404 - {"code": "unimplemented"}|404|$G/Made.Up connectrpc $G/Made.Up - - 404|connectrpc connectrpc _OTHER $G/Made.Up - -
END

# HTTP/2 on one side of nginx, HTTP/1 on the other: the same of all four.
ask() { # TYPE BODY [option...]
	: >"$spans"
	printf "$2" >"$work/body"
	traced client curl -sS -m 20 --http2-prior-knowledge -H "Content-Type: $1" "${@:3}" --data-binary "@$work/body" "http://127.0.0.1:$front/$G/Hello" >/dev/null
	wait_spans 4
	(tell client; tell front; tell back) | paste -sd' ' | sed "s|[0-9] $G/Hello \([a-z]*\) $G/Hello - - - POST 200|\1|g"
}
expect "gRPC-Web through nginx" "grpc grpc; grpc grpc" "$(ask application/grpc-web+proto '\0\0\0\0\003you')"
expect "Connect through nginx" "connectrpc connectrpc; connectrpc connectrpc" "$(ask application/proto you -H 'Connect-Protocol-Version: 1')"
expect "a plain POST is none" "3 POST - - - - - POST 200 3 POST - - - - - POST 200; 2 POST - - - - - POST 200 2 POST - - - - - POST 200" "$(ask application/proto you)"
finish
