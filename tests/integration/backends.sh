#!/usr/bin/env bash
# Web servers in front of application servers: nginx, Apache and lighttpd, each over FastCGI (PHP-FPM, Perl), uwsgi and SCGI
# (uWSGI) and HTTP (gunicorn). One trace through both; the application finds the context once, as the front's CLIENT span has it,
# also where the client's own context is passed on, and with a body behind it.
. "$(dirname "$0")/lib.sh"
need jq curl
here=$top/tests/integration/snippets/matrix
mkdir -p "$work/www"
chmod 777 "$work/www"
declare -A backend # by name: port
left=""

# --- application servers ----------------------------------------------------------------------------------------------------
fpm=$(ls /usr/sbin/php-fpm[0-9]* 2>/dev/null | head -n 1)
if [ -n "$fpm" ]; then
	backend[php]=$(free_port)
	cat >"$work/www/app" <<'EOP'
<?php
foreach ($_SERVER as $name => $value)
	if (stripos($name, 'traceparent') !== false) echo "$name=$value\n";
echo "body=", strlen(file_get_contents('php://input')), "\n";
EOP
	printf '[global]\nerror_log = %s/fpm.log\ndaemonize = no\n[p]\nlisten = 127.0.0.1:%s\npm = static\npm.max_children = 2\nsecurity.limit_extensions =\n' \
		"$work" "${backend[php]}" >"$work/fpm.conf"
	[ "$(id -u)" = 0 ] && printf 'user = www-data\ngroup = www-data\n' >>"$work/fpm.conf"
	start_traced php "$fpm" -F -y "$work/fpm.conf"
else
	left+=" php-fpm"
fi
if perl -MFCGI -e 1 2>/dev/null; then
	backend[perl]=$(free_port)
	start_traced perl perl "$here/fcgi.pl" "${backend[perl]}"
else
	left+=" libfcgi-perl"
fi
if command -v uwsgi >/dev/null && [ -e /usr/lib/uwsgi/plugins/python3_plugin.so ]; then
	backend[uwsgi]=$(free_port) backend[scgi]=$(free_port)
	start_traced uwsgi uwsgi --die-on-term --plugins-dir /usr/lib/uwsgi/plugins --plugin python3 --socket "127.0.0.1:${backend[uwsgi]}" \
		--wsgi-file "$here/backend.py" --need-app
	start_traced scgi uwsgi --die-on-term --plugins-dir /usr/lib/uwsgi/plugins --plugin python3 --scgi-socket "127.0.0.1:${backend[scgi]}" \
		--wsgi-file "$here/backend.py" --need-app
else
	left+=" uwsgi"
fi
if command -v gunicorn >/dev/null; then
	backend[gunicorn]=$(free_port)
	start_traced gunicorn gunicorn --chdir "$here" -b "127.0.0.1:${backend[gunicorn]}" backend:application
else
	left+=" gunicorn"
fi

# --- web servers: /NAME/app goes to the backend of that name ----------------------------------------------------------------
declare -A front
location() { # nginx: name
	local protocol=$1 params="" pair
	case $1 in php | perl) protocol=fastcgi ;; gunicorn) echo "location /gunicorn/ { proxy_pass http://127.0.0.1:${backend[$1]}; }"; return ;; esac
	for pair in 'REQUEST_METHOD $request_method' 'REQUEST_URI $request_uri' 'PATH_INFO $document_uri' 'QUERY_STRING $query_string' \
		'CONTENT_TYPE $content_type' 'CONTENT_LENGTH $content_length' 'SERVER_PROTOCOL $server_protocol' 'SERVER_NAME localhost' \
		'SERVER_PORT $server_port' "SCRIPT_FILENAME $work/www/app" 'SCRIPT_NAME /app'; do
		params+=" ${protocol}_param $pair;"
	done
	echo "location /$1/ { ${protocol}_pass 127.0.0.1:${backend[$1]}; $params }"
}
if command -v nginx >/dev/null; then
	front[nginx]=$(free_port)
	mkdir -p "$work/nginx" && chmod 777 "$work/nginx"
	{
		echo "worker_processes 1; daemon off; pid nginx.pid; error_log error.log; events { }"
		echo "http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;"
		echo "server { listen 127.0.0.1:${front[nginx]};"
		for name in "${!backend[@]}"; do location "$name"; done
		echo "} }"
	} >"$work/nginx/nginx.conf"
	start_traced nginx nginx -p "$work/nginx" -c nginx.conf
else
	left+=" nginx"
fi
modules=/usr/lib/apache2/modules
if [ -e $modules/mod_proxy_fcgi.so ]; then
	front[apache]=$(free_port)
	mkdir -p "$work/apache"
	{
		echo "ServerRoot $work/apache"; echo "ServerName localhost"; echo "Listen 127.0.0.1:${front[apache]}"; echo "PidFile $work/apache/pid"
		for name in mpm_event authz_core proxy proxy_fcgi proxy_scgi proxy_uwsgi proxy_http; do
			[ -e "$modules/mod_$name.so" ] && echo "LoadModule ${name}_module $modules/mod_$name.so"
		done
		[ "$(id -u)" = 0 ] && printf 'User www-data\nGroup www-data\n'
		echo "DocumentRoot $work/www"; echo "ErrorLog $work/apache/error.log"
		for name in "${!backend[@]}"; do
			case $name in
			php | perl) echo "ProxyPass /$name/ fcgi://127.0.0.1:${backend[$name]}$work/www/" ;;
			gunicorn) echo "ProxyPass /$name/ http://127.0.0.1:${backend[$name]}/" ;;
			uwsgi) [ -e $modules/mod_proxy_uwsgi.so ] && echo "ProxyPass /$name/ uwsgi://127.0.0.1:${backend[$name]}/" ;;
			scgi) echo "ProxyPass /$name/ scgi://127.0.0.1:${backend[$name]}/" ;;
			esac
		done
	} >"$work/apache/conf"
	start_traced apache apache2 -X -d "$work/apache" -f "$work/apache/conf"
	[ -e $modules/mod_proxy_uwsgi.so ] || left+=" libapache2-mod-proxy-uwsgi"
else
	left+=" apache2"
fi
if command -v lighttpd >/dev/null; then
	front[lighttpd]=$(free_port)
	{
		echo "server.document-root = \"$work/www\""; echo "server.bind = \"127.0.0.1\""; echo "server.port = ${front[lighttpd]}"
		echo "server.modules = (\"mod_fastcgi\", \"mod_scgi\", \"mod_proxy\")"; echo "server.errorlog = \"$work/lighttpd.error\""
		fcgi="" scgi=""
		for name in "${!backend[@]}"; do
			case $name in
			php | perl) fcgi+="\"/$name/\" => ((\"host\" => \"127.0.0.1\", \"port\" => ${backend[$name]}, \"check-local\" => \"disable\", \"docroot\" => \"$work/www\")), " ;;
			scgi) scgi+="\"/$name/\" => ((\"host\" => \"127.0.0.1\", \"port\" => ${backend[$name]}, \"check-local\" => \"disable\")), " ;;
			gunicorn) echo "proxy.server = (\"/gunicorn/\" => ((\"host\" => \"127.0.0.1\", \"port\" => ${backend[$name]})))" ;;
			esac
		done
		echo "fastcgi.server = ($fcgi)"; echo "scgi.server = ($scgi)"
	} >"$work/lighttpd.conf"
	# Its PHP-FPM is told of the file by its whole path.
	mkdir -p "$work/www/php" && cp "$work/www/app" "$work/www/php/app" 2>/dev/null
	start_traced lighttpd lighttpd -D -f "$work/lighttpd.conf"
else
	left+=" lighttpd"
fi
for port in "${backend[@]}" "${front[@]}"; do wait_port "$port" || { tail -n 5 "$work"/*.log; exit 1; }; done

# --- each cell ---------------------------------------------------------------------------------------------------------------
trace=0af7651916cd43dd8448eb211c80319c client=b7ad6b7169203331
head -c 30000 /dev/zero >"$work/body"
cells=0 good=0
for web in "${!front[@]}"; do
	for name in "${!backend[@]}"; do
		[ "$web.$name" = lighttpd.uwsgi ] && continue # its lengths are not uWSGI's, bare as well
		[ "$web.$name" = apache.uwsgi ] && [ ! -e $modules/mod_proxy_uwsgi.so ] && continue
		cells=$((cells + 1))
		before=$failures
		url=http://127.0.0.1:${front[$web]}/$name/app
		: >"$spans"
		curl -s -m 10 "$url" >"$work/out.1"
		curl -s -m 10 -H "traceparent: 00-$trace-$client-01" --data-binary @"$work/body" -H Expect: "$url" >"$work/out.2"
		wait_spans 6
		sleep 0.1
		flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
			| map(select(.kind == 2 and $by[.parent].kind == 3)) | sort_by(.start)[]
			| $by[.parent] as $c | $by[$c.parent] as $s
			| "\(.service) \($c.service) \($s.service) \($s.parent | if . == "" then "-" else . end) \(.trace == $s.trace and .trace == $c.trace) 00-\($c.trace)-\($c.span)-0\($c.flags % 256)"' >"$work/chains"
		read -r from via in parent one header <"$work/chains"
		expect "$web to $name: spans" "6 $name $web $web true" "$(count_spans) $from $via $in $one"
		expect "$web to $name: the context, once" "HTTP_TRACEPARENT=$header body=0" "$(grep -v '^TRACEPARENT=' "$work/out.1" | paste -sd' ')"
		read -r _ _ _ parent one header < <(tail -n 1 "$work/chains")
		expect "$web to $name: passed on, with a body" "$client true HTTP_TRACEPARENT=$header body=30000" \
			"$parent $one $(grep -v '^TRACEPARENT=' "$work/out.2" | paste -sd' ')"
		good=$((good + (failures == before)))
	done
done
echo "$good of $cells pairs are right"
[ -z "$left" ] || echo "left out, not installed:$left"
[ "$cells" -gt 0 ] || skip "nothing of this is installed"
finish
