#!/bin/bash
# TAGALONG_CORRELATE: a call that carries the same value of a named header as exactly one request in flight is that request's,
# whatever the thread; two in flight with one value, and it says nothing.
. "$(dirname "$0")/lib.sh"
need jq curl nginx /usr/bin/python3

back=$(free_port) back2=$(free_port)
nginx_conf "$work/back" "$back"
sed -i "s|location / { root html; }|location / { return 200 \"ok\"; }|" "$work/back/nginx.conf"
background nginx -p "$work/back" -c nginx.conf
nginx_conf "$work/back2" "$back2"
sed -i "s/listen 127.0.0.1:$back2;/listen 127.0.0.1:$back2 http2;/" "$work/back2/nginx.conf"
background nginx -p "$work/back2" -c nginx.conf
wait_port "$back" && wait_port "$back2" || exit 1
export TAGALONG_EXPLAIN=true

# calls: "path, path of the span above or -, evidence, ambiguous" of each CLIENT span
calls() {
	flat "$spans" | jq -rs '(map(select(.kind == 2) | {key: .span, value: .a["url.path"]}) | from_entries) as $above
		| map(select(.kind == 3) | [(.a["url.path"] // (.a["url.full"] | sub("^[a-z]+://[^/]*"; ""))), ($above[.parent] // "-"),
			.a["tagalong.parent.evidence"], (.a["tagalong.parent.ambiguous"] // false)] | join(" ")) | sort | .[]'
}
ask() { curl -sS -o /dev/null --max-time 20 "$@" || bad "asking $*"; }
pool() { # SETTING...: starts it
	: >"$spans"
	port=$(free_port)
	url=http://127.0.0.1:$port
	start_traced pool env "$@" /usr/bin/python3 "$top/tests/integration/snippets/correlate_pool.py" "$port" "$back"
	wait_port "$port" || exit 1
}
two() { # PATH PATH ID ID [OPTION...]: at once
	local paths=("$1" "$2") ids=("$3" "$4")
	shift 4
	ask "$@" -H "X-Request-Id: ${ids[0]}" "$url${paths[0]}" &
	local first=$!
	ask "$@" -H "X-Request-Id: ${ids[1]}" "$url${paths[1]}"
	wait "$first"
}
long=$(printf 'x%.0s' $(seq 126))

pool TAGALONG_CORRELATE=x-trace-me,X-Request-ID OTEL_METRICS_EXPORTER=otlp_file TAGALONG_METRICS_FILE="$work/metrics" \
	OTEL_METRIC_EXPORT_INTERVAL=100
ask -H "X-Request-Id: 1" "$url/one/1"
two /both/2 /both/3 two three
two /both/4 /both/5 same same
ask -H "X-Request-Id: late" "$url/late/6"
ask -H "x-trace-me: q" -H "X-Request-Id: ${long:1}" "$url/one/7"
ask -H "X-Request-Id: $long" "$url/one/8"
ask -H "X-Request-Id: kept" "$url/one/9" -o /dev/null "$url/one/9" # the same head twice on one connection
wait_spans 20
ambiguous() { # as the counters have it
	jq -r '.resourceMetrics[].scopeMetrics[].metrics[] | select(.name == "tagalong.parent.ambiguous") | .sum.dataPoints[].asInt' \
		"$work/metrics" 2>/dev/null | sort -n | tail -n 1
}
for _ in $(seq 100); do [ "$(ambiguous)" = 2 ] && break; sleep 0.1; done
expect "both are counted" 2 "$(ambiguous)"
stop_last
expect "a pool's calls" "/both/2 /both/2 header false
/both/3 /both/3 header false
/both/4 - none true
/both/5 - none true
/late/6 - none false
/one/1 /one/1 header false
/one/7 /one/7 header false
/one/9 /one/9 header false
/one/9 /one/9 header false" "$(calls | grep -v /one/8)"
calls | grep -q '^/one/8 - none' || bad "a value of 126 bytes is none: $(calls | grep /one/8)"

pool
two /both/2 /both/3 two three
wait_spans 4
stop_last
expect "nothing is named, nothing is looked at" "/both/2 - none
/both/3 - none" "$(calls | cut -d' ' -f1-3)"

# As a whole (":request"): the pool passes on method and target, and nothing else that counts.
plain() { # PATH PATH ID ID: at once
	two "$1" "$2" "$3" "$4" -H "User-Agent:" -H "Accept:"
}
pool TAGALONG_CORRELATE=:request
plain /both/2?x /both/3?x same same
plain /both/4 /both/4 four five
ask -H "X-Request-Id: late" -H "User-Agent:" -H "Accept:" "$url/late/6"
ask -H "X-Request-Id: other" "$url/one/7" # with fields that its call has not
wait_spans 12
stop_last
expect "a pool's calls, by their requests as a whole" "/both/2?x /both/2 header false
/both/3?x /both/3 header false
/both/4 - none true
/both/4 - none true
/late/6 - none false
/one/7 - none" "$(calls | sed 's|^\(/one/7 - none\).*|\1|')"

pool TAGALONG_CORRELATE=:request,x-request-id
plain /both/2 /both/2 two three # the header tells those from one another that are alike
plain /both/4 /both/5 same same # and the whole those that share an id
wait_spans 8
stop_last
expect "a pool's calls, by both" "/both/2 /both/2 header false
/both/2 /both/2 header false
/both/4 - none true
/both/5 - none true" "$(calls)"

# proxy CONF SCHEME-AND-PORT NAME: an nginx that passes on what it gets, or (generates) an id of its own
proxy() {
	: >"$spans"
	port=$(free_port)
	url=http://127.0.0.1:$port
	nginx_conf "$work/front" "$port" "$back"
	sed -i "s|location / .*|location / { $1 } } }|; s|listen 127.0.0.1:$port;|listen 127.0.0.1:$port ${2:-};|" "$work/front/nginx.conf"
	start_traced proxy env TAGALONG_CORRELATE="${3:-x-request-id}" nginx -p "$work/front" -c nginx.conf
	wait_port "$port" || exit 1
}
for name in x-request-id :request; do
	proxy 'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";' "" $name
	ask -H "X-Request-Id: passed-on" "$url/passed/1"
	wait_spans 2
	stop_last
	expect "a proxy that passes $name on" "/passed/1 /passed/1 header false" "$(calls)"
done
proxy 'proxy_pass http://up/elsewhere; proxy_http_version 1.1; proxy_set_header Connection "";' "" :request
ask "$url/passed/1"
wait_spans 2
stop_last
expect "a proxy that asks for something else" "/elsewherepassed/1 /passed/1 connection false" "$(calls)"

proxy 'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Request-Id $request_id;'
ask -H "X-Request-Id: passed-on" "$url/generated/1"
wait_spans 2
stop_last
expect "a proxy that makes up an id" "/generated/1 /generated/1 connection false" "$(calls)"

if curl --version | grep -q HTTP2 && nginx -V 2>&1 | grep -q http_v2_module; then
	for name in x-request-id :request; do
		proxy "grpc_pass grpc://127.0.0.1:$back2;" http2 $name
		ask --http2-prior-knowledge -H "X-Request-Id: over-http2" -b "a=1; b=2" "$url/1k"
		wait_spans 2
		stop_last
		expect "HTTP/2, both sides, $name" "/1k /1k header false" "$(calls)"
	done
else
	echo "left out: HTTP/2"
fi
if pkg-config --exists libcurl && gcc -D_GNU_SOURCE -O1 -o "$work/by_curl" "$top/tests/integration/snippets/correlate_curl.c" -lcurl; then
	: >"$spans"
	port=$(free_port)
	url=http://127.0.0.1:$port
	start_traced by_curl env TAGALONG_CORRELATE=x-request-id "$work/by_curl" "$port" "$back"
	for _ in $(seq 200); do grep -q ":$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp && break; sleep 0.05; done
	two /curl/1 /curl/2 one two
	wait_spans 4
	expect "libcurl's calls" "/curl/1 /curl/1 header false
/curl/2 /curl/2 header false" "$(calls)"
else
	echo "left out: libcurl's headers are not installed"
fi
fpm=$(compgen -G '/usr/sbin/php-fpm*' | head -n 1)
if [ -n "$fpm" ]; then
	mkdir -p "$work/php"
	echo '<?php echo "ok";' >"$work/php/index.php"
	printf '[global]\nerror_log = %s\n[www]\nuser = nobody\ngroup = nogroup\nlisten = %s\nlisten.mode = 0666\npm = static\npm.max_children = 1\n' \
		"$work/fpm.log" "$work/fpm.sock" >"$work/fpm.conf"
	background "$fpm" -F -R -y "$work/fpm.conf"
	for _ in $(seq 200); do [ -S "$work/fpm.sock" ] && break; sleep 0.05; done
	for name in x-request-id :request; do
		proxy "fastcgi_pass unix:$work/fpm.sock; fastcgi_param SCRIPT_FILENAME $work/php/index.php; fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_URI \$request_uri;" "" $name
		ask -H "X-Request-Id: as-a-param" -b "a=1; b=2" "$url/php?x"
		wait_spans 2
		stop_last
		expect "FastCGI's params, $name" "header" "$(calls | cut -d' ' -f3)"
	done
else
	echo "left out: php-fpm is not installed"
fi
# Tasks that leave no evidence, in peace and under a hostile scheduler.
LEVELS=24 REQUESTS=300 ABORT=30 bash "$top/tests/causality/run.sh" c_task_condvar_id c_epoll_cap_fanout_id || bad "the rig"
LEVELS=24 REQUESTS=300 ABORT=100 STRESS=200 bash "$top/tests/causality/run.sh" c_task_futex_id || bad "the rig, under stress"
finish
