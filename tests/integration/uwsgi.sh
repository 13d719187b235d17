#!/usr/bin/env bash
# nginx in front of uWSGI, over the uwsgi protocol and over SCGI: one trace through both; the application finds the context
# once, lengths are right whatever was put in, statuses are recorded.
. "$(dirname "$0")/lib.sh"
need nginx jq curl uwsgi
[ -e /usr/lib/uwsgi/plugins/python3_plugin.so ] || skip "uwsgi-plugin-python3 is not installed"

front=$(free_port) native=$(free_port) scgi=$(free_port)
mkdir -p "$work/web"
chmod 777 "$work/web"
cat >"$work/app.py" <<'EOP'
def application(environ, start_response):
    path = environ['PATH_INFO']
    status = '404 Not Found' if 'missing' in path else '500 Oops' if 'broken' in path else '200 OK'
    body = [f'{k}={v}\n' for k, v in environ.items() if 'traceparent' in k.lower()]
    body.append('body=%d\n' % len(environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))))
    body = ''.join(body).encode()
    headers = [('Content-Type', 'text/plain')]
    if 'long' not in path:
        headers.append(('Content-Length', str(len(body))))
    start_response(status, headers)
    return [body]
EOP
params=""
for pair in 'REQUEST_METHOD $request_method' 'REQUEST_URI $request_uri' 'PATH_INFO $document_uri' 'QUERY_STRING $query_string' \
	'CONTENT_TYPE $content_type' 'SERVER_PROTOCOL $server_protocol' 'REQUEST_SCHEME $scheme' \
	'REMOTE_ADDR $remote_addr' 'SERVER_NAME localhost' 'SERVER_PORT $server_port'; do
	params="$params KIND_param $pair;"
done
cat >"$work/web/nginx.conf" <<EOF2
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { worker_connections 256; }
http {
access_log off;
client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
server {
listen 127.0.0.1:$front;
location /native/ { uwsgi_pass 127.0.0.1:$native; ${params//KIND/uwsgi} uwsgi_param CONTENT_LENGTH \$content_length; }
location /scgi/ { scgi_pass 127.0.0.1:$scgi; ${params//KIND/scgi} scgi_param CONTENT_LENGTH \$content_length; }
}
}
EOF2
start_traced app uwsgi --master --die-on-term --plugins-dir /usr/lib/uwsgi/plugins --plugin python3 --socket "127.0.0.1:$native" \
	--scgi-socket "127.0.0.1:$scgi" --chdir "$work" --wsgi-file "$work/app.py" --processes 2 --need-app
start_traced web nginx -p "$work/web" -c nginx.conf
wait_port "$front" && wait_port "$native" && wait_port "$scgi" || { cat "$work/app.log"; exit 1; }

get() { curl -s -m 10 "$@"; }
requests=0
head -c 100000 /dev/zero >"$work/body"
cookie=$(head -c 3000 /dev/zero | tr '\0' c)
for way in native scgi; do
	for path in hello long; do
		get "http://127.0.0.1:$front/$way/$path" >"$work/out"
		expect "$way: the application sees the context once" 1 "$(grep -c '^HTTP_TRACEPARENT=00-' "$work/out")"
		sed -n 's/^HTTP_TRACEPARENT=00-[0-9a-f]*-\([0-9a-f]*\)-.*/\1/p' "$work/out" >>"$work/seen"
	done
	get -H "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" -b "c=$cookie" \
		"http://127.0.0.1:$front/$way/hello" >"$work/out"
	expect "$way: a proxied header is not doubled" 1 "$(grep -ci 'traceparent=' "$work/out")"
	sed -n 's/^HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-\([0-9a-f]*\)-01/\1/p' "$work/out" >>"$work/seen"
	expect "$way: 404" 404 "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$front/$way/missing")"
	expect "$way: 500" 500 "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$front/$way/broken")"
	expect "$way: a body of 100000 bytes" "body=100000" \
		"$(get --data-binary @"$work/body" "http://127.0.0.1:$front/$way/post" | grep ^body)"
	requests=$((requests + 6))
done
wait_spans $((3 * requests))
sleep 0.3
flat "$spans" >"$work/flat"
jq -s -r '(map({key: .span, value: .}) | from_entries) as $by
	| [.[] | select(.service == "app" and .kind == 2) | $by[.parent] as $c | $by[$c.parent] as $s
	   | "\($c.service) \($c.kind) \($s.service) \($s.kind) \(.trace == $s.trace)"]
	| group_by(.) | map("\(.[0]) x\(length)") | .[]' "$work/flat" >"$work/chains"
expect "every span of the application hangs below nginx's client and server span" "web 3 web 2 true x$requests" "$(cat "$work/chains")"
for service in "web 3" "app 2"; do
	expect "$service: statuses" "200 8 404 2 500 2" "$(jq -r --arg s "$service" \
		'select("\(.service) \(.kind)" == $s) | .a["http.response.status_code"]' "$work/flat" | sort | uniq -c |
		awk '{ printf "%s%s %s", (NR > 1 ? " " : ""), $2, $1 }')"
done
expect "what the application saw is what was exported" 6 "$(jq -r 'select(.service == "web" and .kind == 3) | .span' "$work/flat" | sort |
	comm -12 - <(sort "$work/seen") | wc -l)"
expect "nothing is marked incomplete" 0 "$(grep -c tagalong.incomplete "$work/flat")"
finish
