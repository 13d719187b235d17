#!/usr/bin/env bash
# CGI: a program per request. What it calls is a child of the request's span in the server, whichever server that is; of
# the client's, where the server is not traced or hands the request to a daemon; never of what the server inherited.
. "$(dirname "$0")/lib.sh"
need jq curl nginx
python=/usr/bin/python3
# The servers become somebody else, who has to be let in to where the library is: not to a home directory.
install -m 755 "$build/libtagalong.so" "$work/" && lib=${lib/"$build"/"$work"}

back=$(free_port)
nginx_conf "$work/back" "$back"
start_traced back nginx -p "$work/back" -c nginx.conf
mkdir -p "$work/www/cgi-bin" "$work/logs"
cat >"$work/www/cgi-bin/ask" <<EOS
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
env | grep TRACEPARENT | sort
curl -s -o /dev/null "http://127.0.0.1:$back/1k"
EOS
chmod -R 777 "$work/www" "$work/logs"
wait_port "$back" || exit 1

trace=0af7651916cd43dd8448eb211c80319c client=b7ad6b7169203331
header="traceparent: 00-$trace-$client-01"
stale=00-99999999999999999999999999999999-8888888888888888-01

# links: service.kind of each span from the nginx at the far end up to the root, and what the root's parent is.
links() {
	flat "$spans" | jq -rs --arg client "$client" '(map({key: .span, value: .}) | from_entries) as $by
		| def up: . as $s | "\(.service)\(.kind)" + (if $by[.parent] then " < " + ($by[.parent] | if .trace == $s.trace then up else "OTHER TRACE" end)
			elif .parent == $client then " < client" elif .parent == "" then " root" else " < " + .parent end);
		map(select(.service == "back")) | map(up) | join("; ")'
}
# ask NAME PORT PATH EXPECTED [curl options]
ask() {
	local name=$1 port=$2 path=$3 expected=$4
	shift 4
	: >"$spans"
	curl -s "$@" "http://127.0.0.1:$port$path" >"$work/out"
	wait_spans "${wanted:-3}"
	sleep 0.1
	expect "$name" "$expected" "$(links)"
	expect "$name: spans" "${wanted:-3}" "$(count_spans)"
}

# The server forks and execs in the thread that read the request; it has inherited a context from its own start.
port=$(free_port)
(cd "$work/www" && exec env TRACEPARENT=$stale LD_PRELOAD="$lib" OTEL_SERVICE_NAME=server OTEL_TRACES_EXPORTER=otlp_file \
	TAGALONG_FILE="$spans" OTEL_BSP_SCHEDULE_DELAY=50 $python -m http.server --cgi -b 127.0.0.1 "$port") >"$work/python.log" 2>&1 &
pids+=($!)
wait_port "$port" || exit 1
ask "python http.server" "$port" /cgi-bin/ask "back2 < server3 < server2 < client" -H "$header"
ask "python http.server, no client's context" "$port" /cgi-bin/ask "back2 < server3 < server2 root"
expect "the program finds one context" 1 "$(sed 's/.*=//' "$work/out" | sort -u | wc -l)"

apache() { # name mpm cgi-module
	cat >"$work/$1.conf" <<-EOF
	ServerRoot $work
	ServerName localhost
	Listen 127.0.0.1:$port
	PidFile $work/$1.pid
	LoadModule mpm_$2_module $modules/mod_mpm_$2.so
	LoadModule authz_core_module $modules/mod_authz_core.so
	LoadModule alias_module $modules/mod_alias.so
	LoadModule env_module $modules/mod_env.so
	LoadModule ${3#mod_}_module $modules/$3.so
	$([ "$3" = mod_cgid ] && echo "ScriptSock $work/cgid.sock")
	PassEnv LD_PRELOAD OTEL_SERVICE_NAME OTEL_TRACES_EXPORTER TAGALONG_FILE OTEL_BSP_SCHEDULE_DELAY
	User www-data
	Group www-data
	DocumentRoot $work/www
	ScriptAlias /cgi-bin/ $work/www/cgi-bin/
	ErrorLog logs/$1
	EOF
	# Its end is the end of its whole process group.
	start_traced server setsid apache2 -f "$work/$1.conf" -DFOREGROUND
	wait_port "$port" || exit 1
}
modules=/usr/lib/apache2/modules
if [ -e "$modules/mod_cgi.so" ]; then
	port=$(free_port)
	apache prefork prefork mod_cgi
	ask "mod_cgi" "$port" /cgi-bin/ask "back2 < server3 < server2 < client" -H "$header"
	expect "both names have the server's context" 1 "$(sed 's/.*=//' "$work/out" | sort -u | wc -l)"
	ask "mod_cgi, no client's context" "$port" /cgi-bin/ask "back2 < server3 < server2 root"
	# Several at a time: each its own.
	: >"$spans"
	for i in $(seq 12); do
		curl -s -o /dev/null -H "traceparent: 00-$(printf %032x "$i")-$(printf %016x "$i")-01" "http://127.0.0.1:$port/cgi-bin/ask" &
		asked[i]=$!
	done
	wait "${asked[@]}"
	wait_spans 36
	expect "mod_cgi, 12 at a time" 12 "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
		| map(select(.service == "back") | $by[$by[.parent].parent] | select(.kind == 2 and .trace[16:] == .parent)) | unique | length')"
	stop_last
	# The daemon that starts the program has read nothing: what the client sent is what is known.
	port=$(free_port)
	apache event event mod_cgid
	ask "mod_cgid" "$port" /cgi-bin/ask "back2 < server3 < client" -H "$header"
	stop_last
fi
if [ -e /usr/lib/lighttpd/mod_cgi.so ]; then
	port=$(free_port)
	cat >"$work/lighttpd.conf" <<-EOF
	server.document-root = "$work/www"
	server.port = $port
	server.bind = "127.0.0.1"
	server.modules = ("mod_cgi")
	cgi.assign = ("/ask" => "")
	EOF
	start_traced server lighttpd -D -f "$work/lighttpd.conf"
	wait_port "$port" || exit 1
	ask "lighttpd" "$port" /cgi-bin/ask "back2 < server3 < server2 < client" -H "$header"
	stop_last
else
	echo "left out: lighttpd is not installed"
fi

# A server without us, whose environment is stale: the client's context is the only truth.
if command -v busybox >/dev/null && busybox --list | grep -qx httpd; then
	port=$(free_port)
	env TRACEPARENT=$stale LD_PRELOAD="$lib" OTEL_SERVICE_NAME=server OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
		TAGALONG_EXCLUDE=busybox OTEL_BSP_SCHEDULE_DELAY=50 busybox httpd -f -p "127.0.0.1:$port" -h "$work/www" >"$work/busybox.log" 2>&1 &
	pids+=($!)
	wait_port "$port" || exit 1
	wanted=2 ask "a server without us" "$port" /cgi-bin/ask "back2 < server3 < client" -H "$header"
else
	echo "left out: busybox is not installed"
fi
finish
