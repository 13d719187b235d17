#!/usr/bin/env bash
# Each client against each server, both untouched and traced: one CLIENT span, one SERVER span as its child, the header once
# and as the far side understood it. In the clear and (what is encrypted by a library that is followed) under TLS; HTTP/1 and
# HTTP/2. One path of its own for each cell.
. "$(dirname "$0")/lib.sh"
need jq /usr/bin/python3
here=$top/tests/integration/snippets/matrix
docs=$work/docs
mkdir -p "$docs" && chmod 777 "$docs"
declare -A url1 url2 # by server and scheme: what speaks HTTP/1, what speaks HTTP/2
left=""
has() { for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || { left+=" $tool"; return 1; }; done; }

# --- a certificate ------------------------------------------------------------------------------------------------------
schemes=http
if [ -z "${MATRIX_PLAIN:-}" ] && has openssl; then
	schemes="http https"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
		-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
	cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
	chmod 644 "$work"/*.pem
fi
export SSL_CERT_FILE=$work/cert.pem

# --- servers: each says "PATH TRACEPARENT" in $work/got.NAME ------------------------------------------------------------
server() { # name scheme version port
	wait_port "$4" || { bad "$1 ($2) does not listen"; return; }
	if [ "$3" = 2 ]; then url2[$1.$2]=$2://localhost:$4; else url1[$1.$2]=$2://localhost:$4; fi
}
serve_nginx() {
	local plain h2c tls
	plain=$(free_port) h2c=$(free_port) tls=$(free_port)
	mkdir -p "$work/nginx" && chmod 777 "$work/nginx"
	{
		echo "worker_processes 1; daemon off; pid nginx.pid; error_log error.log; events { }"
		echo "http { log_format one '\$request_uri \$http_traceparent'; access_log $work/got.nginx one;"
		echo "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;"
		echo "server { listen 127.0.0.1:$plain; listen 127.0.0.1:$h2c http2; location / { root $docs; }"
		[ "$schemes" = http ] ||
			echo "listen 127.0.0.1:$tls ssl http2; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;"
		echo "} }"
	} >"$work/nginx/nginx.conf"
	start_traced nginx nginx -p "$work/nginx" -c nginx.conf
	server nginx http 1 "$plain"
	server nginx-h2 http 2 "$h2c"
	[ "$schemes" = http ] || { server nginx https 1 "$tls"; server nginx-h2 https 2 "$tls"; }
}
serve_apache() { # mpm
	local modules=/usr/lib/apache2/modules plain tls dir=$work/apache-$1 name
	[ -d $modules ] || { left+=" apache2"; return; }
	plain=$(free_port) tls=$(free_port)
	mkdir -p "$dir" && chmod 777 "$dir"
	{
		echo "ServerRoot $dir"; echo "PidFile $dir/pid"; echo "ErrorLog $dir/error.log"; echo "ServerName localhost"
		for name in mpm_$1 authz_core http2 ssl socache_shmcb; do
			[ "$1 $name" = "prefork http2" ] && continue
			echo "LoadModule ${name}_module $modules/mod_$name.so"
		done
		[ "$(id -u)" = 0 ] && { echo "User www-data"; echo "Group www-data"; }
		[ "$1" = prefork ] || echo "Protocols h2 h2c http/1.1"
		echo "DocumentRoot $docs"; echo "LogFormat \"%U %{traceparent}i\" one"; echo "CustomLog $work/got.apache-$1 one"
		echo "Listen 127.0.0.1:$plain"
		[ "$schemes" = http ] || printf '%s\n' "Listen 127.0.0.1:$tls" "<VirtualHost 127.0.0.1:$tls>" "SSLEngine on" \
			"SSLCertificateFile $work/cert.pem" "SSLCertificateKeyFile $work/key.pem" "</VirtualHost>"
	} >"$dir/conf"
	start_traced "apache-$1" apache2 -X -d "$dir" -f "$dir/conf"
	server "apache-$1" http 1 "$plain"
	[ "$1" = prefork ] || server "apache-$1-h2" http 2 "$plain"
	[ "$schemes" = http ] && return
	server "apache-$1" https 1 "$tls"
	[ "$1" = prefork ] || server "apache-$1-h2" https 2 "$tls"
}
serve_lighttpd() {
	local scheme port
	has lighttpd || return
	for scheme in $schemes; do
		[ "$scheme" = https ] && [ ! -e /usr/lib/lighttpd/mod_openssl.so ] && { left+=" lighttpd-mod-openssl"; continue; }
		port=$(free_port)
		mkdir -p "$work/lighttpd"
		cat >"$work/lighttpd/$scheme.conf" <<-EOF
		server.modules = ("mod_accesslog")
		server.document-root = "$docs"
		server.bind = "127.0.0.1"
		server.port = $port
		server.errorlog = "$work/lighttpd/error.log"
		accesslog.filename = "$work/got.lighttpd"
		accesslog.format = "%U %{traceparent}i"
		EOF
		[ "$scheme" = https ] && cat >>"$work/lighttpd/$scheme.conf" <<-EOF
		server.modules += ("mod_openssl")
		ssl.engine = "enable"
		ssl.pemfile = "$work/both.pem"
		EOF
		start_traced lighttpd lighttpd -D -f "$work/lighttpd/$scheme.conf"
		server lighttpd "$scheme" 1 "$port"
		server lighttpd-h2 "$scheme" 2 "$port"
	done
}
serve_python() { # name file
	local scheme port
	for scheme in $schemes; do
		port=$(free_port)
		background env LD_PRELOAD="$lib" OTEL_SERVICE_NAME="$1" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
			OTEL_BSP_SCHEDULE_DELAY=50 sh -c 'got=$1; shift; exec /usr/bin/python3 "$@" >>"$got"' - "$work/got.$1" "$here/$2" \
			"$port" $([ "$scheme" = https ] && echo "$work/both.pem")
		server "$1" "$scheme" 1 "$port"
	done
}
serve_php() {
	local port
	has php || return
	port=$(free_port)
	cat >"$work/router.php" <<-EOF
	<?php file_put_contents("$work/got.php", \$_SERVER['REQUEST_URI'] . ' ' . (\$_SERVER['HTTP_TRACEPARENT'] ?? '-') . "\n", FILE_APPEND);
	echo "ok\n";
	EOF
	start_traced php php -S "127.0.0.1:$port" "$work/router.php"
	server php http 1 "$port"
}
serve_wsgi() {
	local port scheme
	if has uwsgi && [ -e /usr/lib/uwsgi/plugins/python3_plugin.so ]; then
		for scheme in $schemes; do
			port=$(free_port)
			local listen=(--http-socket "127.0.0.1:$port")
			[ "$scheme" = https ] && listen=(--https-socket "127.0.0.1:$port,$work/cert.pem,$work/key.pem")
			GOT=$work/got.uwsgi start_traced uwsgi uwsgi --plugins-dir /usr/lib/uwsgi/plugins --plugin python3 "${listen[@]}" --wsgi-file "$here/wsgi.py" --die-on-term
			server uwsgi "$scheme" 1 "$port"
		done
	fi
	if has gunicorn; then
		for scheme in $schemes; do
			port=$(free_port)
			local tls=()
			[ "$scheme" = https ] && tls=(--certfile "$work/cert.pem" --keyfile "$work/key.pem")
			GOT=$work/got.gunicorn start_traced gunicorn gunicorn --chdir "$here" -b "127.0.0.1:$port" --threads 2 ${tls[@]+"${tls[@]}"} \
				wsgi:application
			server gunicorn "$scheme" 1 "$port"
		done
	fi
}
serve_nghttpd() {
	local port
	has nghttpd || return
	for scheme in $schemes; do
		port=$(free_port)
		if [ "$scheme" = http ]; then
			start_traced nghttpd nghttpd -v -a 127.0.0.1 -d "$docs" --no-tls "$port"
		else
			start_traced nghttpd nghttpd -v -a 127.0.0.1 -d "$docs" "$port" "$work/key.pem" "$work/cert.pem"
		fi
		server nghttpd "$scheme" 2 "$port"
	done
}

# --- clients ------------------------------------------------------------------------------------------------------------
# client NAME VERSION SCHEMES COMMAND...: once, with a URL for each server
client() {
	local name=$1 version=$2 where=$3 cell scheme path urls
	shift 3
	for scheme in $schemes; do
		[[ " $where " == *" $scheme "* ]] || continue
		urls=()
		local -n base=url$version
		for cell in "${!base[@]}"; do
			[ "${cell##*.}" = "$scheme" ] || continue
			path=/$name-$scheme-${cell%.*}
			echo "ok" >"$docs$path"
			urls+=("${base[$cell]}$path")
			echo "$path ${cell%.*} $version" >>"$work/cells"
		done
		[ ${#urls[@]} = 0 ] || traced "$name" timeout 60 "$@" "${urls[@]}" >>"$work/$name.log" 2>&1 ||
			bad "$name over $scheme: its exit status is $?"
	done
}
each() { # COMMAND... -- URL...: for those that take one
	local command=() url
	while [ "$1" != -- ]; do command+=("$1"); shift; done
	shift
	for url in "$@"; do "${command[@]}" "$url" || return; done
}
run_clients() {
	local both="http https"
	client curl 1 "$both" curl -sS --http1.1 --no-alpn --cacert "$SSL_CERT_FILE"
	client curl-h2c 2 http curl -sS --http2-prior-knowledge
	client curl-h2 2 https curl -sS --http2 --cacert "$SSL_CERT_FILE"
	if gcc -o "$work/curl-gnutls" "$here/client_curl.c" -l:libcurl-gnutls.so.4 2>/dev/null; then
		client curl-gnutls 1 "$both" "$work/curl-gnutls"
		client curl-gnutls-h2 2 https env HTTP2=1 "$work/curl-gnutls"
	else
		left+=" libcurl3-gnutls"
	fi
	has wget && client wget 1 "$both" wget -q -O /dev/null --ca-certificate="$SSL_CERT_FILE"
	client urllib 1 "$both" /usr/bin/python3 "$here/client_urllib.py"
	client httpclient 1 "$both" /usr/bin/python3 "$here/client_httpclient.py"
	client asyncio 1 "$both" /usr/bin/python3 "$here/client_asyncio.py"
	perl -MLWP -e 1 2>/dev/null && client lwp 1 http perl "$here/client_lwp.pl"
	perl -MLWP::Protocol::https -e 1 2>/dev/null && client lwp 1 https perl "$here/client_lwp.pl"
	has ruby && client nethttp 1 "$both" ruby "$here/client_nethttp.rb"
	has php && client streams 1 "$both" php "$here/client_streams.php"
	has php && php -m | grep -qx curl && client phpcurl 1 "$both" php "$here/client_curl.php"
	has javac && javac -d "$work" "$here/Urls.java" && client java 1 http java -cp "$work" Urls
	export -f each
	has nghttp && client nghttp 2 "$both" nghttp -n
	has h2load && client h2load 2 "$both" bash -c 'for url; do h2load -n 1 "$url" || exit; done' -
}

serve_nginx
for mpm in prefork worker event; do serve_apache $mpm; done
serve_lighttpd
serve_python http.server server.py
serve_python asyncio-server server_asyncio.py
serve_php
serve_wsgi
serve_nghttpd
run_clients
cells=$(wc -l <"$work/cells")
wait_spans $((2 * cells))
for pid in "${pids[@]}"; do kill "$pid"; done 2>/dev/null
wait
pids=()
# nghttpd tells names and values apart, on lines of their own.
sed -n 's/.*recv (stream_id=\([0-9]*\)) \(:path\|traceparent\): \(.*\)/\2 \3/p' "$work/nghttpd.log" 2>/dev/null |
	awk '$1 == ":path" { if (path) print path, got; path = $2; got = "" } $1 == "traceparent" { got = got " " $2 } END { if (path) print path, got }' \
	>"$work/got.nghttpd"

# --- each cell -----------------------------------------------------------------------------------------------------------
flat "$spans" | jq -rs 'group_by(.a["url.path"] // (.a["url.full"] | sub("^[a-z]+://[^/]*"; "")))[]
	| (.[0].a["url.path"] // (.[0].a["url.full"] | sub("^[a-z]+://[^/]*"; ""))) as $path
	| map(select(.kind == 3)) as $clients | map(select(.kind == 2)) as $servers
	| "\($path) \($clients | length) \($servers | length) \($servers[0].parent == $clients[0].span) 00-\($clients[0].trace)-\($clients[0].span)-0\(($clients[0].flags // 0) % 256) \($servers[0].a["network.protocol.version"]) \($clients[0].a["url.full"] // "" | sub(":.*"; "")) \($servers[0].a["url.scheme"])"' \
	>"$work/pairs"
good=0
while read -r path server version; do
	scheme=${path#*-}; case $path in *-https-*) scheme=https ;; *) scheme=http ;; esac
	line=$(grep -F -- "$path " "$work/pairs")
	read -r _ clients servers child header _ client_scheme server_scheme <<<"${line:-none 0 0 false - - - -}"
	got=$(cat "$work"/got.* | grep -F -- "$path " | sed 's/^[^ ]* *//; s/ *$//')
	if [ "$clients $servers $child $client_scheme $server_scheme" != "1 1 true $scheme $scheme" ]; then
		bad "$path: $clients client spans ($client_scheme), $servers server spans ($server_scheme), child: $child"
	elif [ "$got" != "$header" ]; then
		bad "$path: the server read '$got', not '$header'"
	else
		good=$((good + 1))
	fi
done <"$work/cells"
echo "$good of $cells pairs are right"
[ -z "$left" ] || echo "left out, not installed:$left"
expect "pairs" "$cells" "$good"
finish
