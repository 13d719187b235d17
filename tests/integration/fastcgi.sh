#!/usr/bin/env bash
# nginx in front of PHP-FPM: one trace through both, over TCP and a unix socket, with kept connections and without. PHP
# finds the context once among its variables, a proxied header is overwritten and not doubled, statuses are recorded.
. "$(dirname "$0")/lib.sh"
fpm=$(ls /usr/sbin/php-fpm* 2>/dev/null | head -n 1)
[ -n "$fpm" ] || skip "php-fpm is not installed"
need nginx jq curl

front=$(free_port) pool=$(free_port)
mkdir -p "$work/web/php"
chmod -R 777 "$work/web"
cat >"$work/web/php/index.php" <<'EOP'
<?php
if ($_SERVER['SCRIPT_NAME'] === '/missing.php') http_response_code(404);
if ($_SERVER['SCRIPT_NAME'] === '/broken.php') http_response_code(500);
foreach ($_SERVER as $name => $value)
	if (stripos($name, 'traceparent') !== false) echo "$name=$value\n";
if ($_SERVER['REQUEST_METHOD'] === 'POST') echo "body=", strlen(file_get_contents('php://input')), "\n";
echo "agent=", $_SERVER['HTTP_USER_AGENT'], "\n";
EOP
cat >"$work/fpm.conf" <<EOF2
[global]
error_log = $work/fpm.log
daemonize = no
[tcp]
listen = 127.0.0.1:$pool
pm = static
pm.max_children = 2
[unix]
listen = $work/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = 2
EOF2
if [ "$(id -u)" = 0 ]; then
	sed -i 's/^\(\[tcp\]\|\[unix\]\)$/\1\nuser = www-data\ngroup = www-data/' "$work/fpm.conf"
fi

location() { # name address keep
	printf 'location /%s/ { rewrite ^/%s/(.*)$ /$1 break; fastcgi_pass %s; fastcgi_keep_conn %s; ' "$1" "$1" "$2" "$3"
	printf 'fastcgi_param SCRIPT_FILENAME %s; fastcgi_param SCRIPT_NAME $uri; ' "$work/web/php/index.php"
	for pair in 'REQUEST_METHOD $request_method' 'REQUEST_URI $request_uri' 'QUERY_STRING $query_string' \
		'CONTENT_LENGTH $content_length' 'CONTENT_TYPE $content_type' 'SERVER_PROTOCOL $server_protocol' \
		'REQUEST_SCHEME $scheme' 'REMOTE_ADDR $remote_addr' 'SERVER_NAME localhost' 'SERVER_PORT $server_port'; do
		printf 'fastcgi_param %s; ' "$pair"
	done
	echo '}'
}
cat >"$work/web/nginx.conf" <<EOF2
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { worker_connections 256; }
http {
access_log off;
client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
upstream kept_tcp { server 127.0.0.1:$pool; keepalive 2; }
upstream kept_unix { server unix:$work/fpm.sock; keepalive 2; }
server {
listen 127.0.0.1:$front;
$(location tcp "127.0.0.1:$pool" off)
$(location unix "unix:$work/fpm.sock" off)
$(location kept_tcp kept_tcp on)
$(location kept_unix kept_unix on)
}
}
EOF2
start_traced php "$fpm" -F -y "$work/fpm.conf"
start_traced web nginx -p "$work/web" -c nginx.conf
wait_port "$front" && wait_port "$pool" || exit 1

traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
get() { curl -s -A tester "$@"; }
requests=0
for way in tcp unix kept_tcp kept_unix; do
	for turn in 1 2 3; do
		get "http://127.0.0.1:$front/$way/hello.php?a=$turn" >"$work/out"
		expect "$way: PHP sees the context once" 1 "$(grep -c '^HTTP_TRACEPARENT=00-' "$work/out")"
		expect "$way: other variables are whole" "agent=tester" "$(tail -n 1 "$work/out")"
		id=$(sed -n 's/^HTTP_TRACEPARENT=00-[0-9a-f]*-\([0-9a-f]*\)-.*/\1/p' "$work/out")
		echo "$id" >>"$work/seen"
	done
	get -H "traceparent: $traceparent" "http://127.0.0.1:$front/$way/hello.php" >"$work/out"
	expect "$way: a proxied header is not doubled" 1 "$(grep -ci 'traceparent=' "$work/out")"
	sed -n 's/^HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-\([0-9a-f]*\)-01/\1/p' "$work/out" >>"$work/seen"
	expect "$way: 404" 404 "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$front/$way/missing.php")"
	expect "$way: 500" 500 "$(get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$front/$way/broken.php")"
	head -c 100000 /dev/zero >"$work/body"
	expect "$way: a body of 100000 bytes" "body=100000" \
		"$(get --data-binary @"$work/body" "http://127.0.0.1:$front/$way/post.php" | grep ^body)"
	requests=$((requests + 7))
done
wait_spans $((3 * requests))
sleep 0.3
expect "spans" $((3 * requests)) "$(count_spans)"
flat "$spans" >"$work/flat"
jq -s -r '(map({key: .span, value: .}) | from_entries) as $by
	| [.[] | select(.service == "php") | $by[.parent] as $c | $by[$c.parent] as $s
	   | "\(.kind) \($c.service) \($c.kind) \($s.service) \($s.kind) \(.trace == $s.trace)"]
	| group_by(.) | map("\(.[0]) x\(length)") | .[]' "$work/flat" >"$work/chains"
expect "every PHP span hangs below nginx's client and server span" "2 web 3 web 2 true x$requests" "$(cat "$work/chains")"
for service in "web 3" "php 2"; do
	expect "$service: statuses" "200 20 404 4 500 4" "$(jq -r --arg s "$service" \
		'select("\(.service) \(.kind)" == $s) | .a["http.response.status_code"]' "$work/flat" | sort | uniq -c |
		awk '{ printf "%s%s %s", (NR > 1 ? " " : ""), $2, $1 }')"
done
expect "what PHP saw is what was exported" 16 "$(jq -r 'select(.service == "web" and .kind == 3) | .span' "$work/flat" | sort |
	comm -12 - <(sort "$work/seen") | wc -l)"
expect "the path of PHP's spans" 4 "$(jq -r 'select(.service == "php") | .a["url.path"]' "$work/flat" | grep -c /missing.php)"
expect "and their client" "$requests" "$(jq -r 'select(.service == "php") | .a["client.address"]' "$work/flat" | grep -c '^127.0.0.1$')"
expect "nothing is marked incomplete" 0 "$(grep -c tagalong.incomplete "$work/flat")"
finish
