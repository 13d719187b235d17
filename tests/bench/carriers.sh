# Sourced by run.sh: HTTP as it travels inside TLS, HTTP/2 and FastCGI.

if [ -x "$build/bench/bench_tls" ]; then
	for _ in 1 2 3 4 5; do
		"$build/bench/bench_tls" $((50000 / scale)) >>"$work/t.bare"
		preloaded env OTEL_TRACES_EXPORTER=none "$build/bench/bench_tls" $((50000 / scale)) >>"$work/t.with"
	done
	a=$(cut -d' ' -f1 "$work/t.bare" | median) b=$(cut -d' ' -f1 "$work/t.with" | median)
	row "SSL_write and SSL_read, nothing to follow, ns" "$a" "$b" "$(calc %+.0f "$b - $a")" ""
	a=$(cut -d' ' -f2 "$work/t.bare" | median) b=$(cut -d' ' -f2 "$work/t.with" | median)
	row "HTTP/1 over TLS, both ends in one process, ns a pair" "$a" "$b" "$(calc %+.0f "$b - $a")" "(2 spans)"
else
	echo "SSL figures left out: libssl-dev is not installed"
fi

carrier_conf() { # dir port kind pool
	nginx_conf "$1" "$2" on ""
	case $3 in
	tls*) sed -i "s|listen $host:$2;|listen $host:$2 ssl; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;|" "$1/nginx.conf" ;;
	h2) sed -i "s|listen $host:$2;|listen $host:$2 ssl http2; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;|" "$1/nginx.conf" ;;
	h2c) sed -i "s|listen $host:$2;|listen $host:$2 http2;|" "$1/nginx.conf" ;;
	fpm) sed -i "s|location / .*|location / { fastcgi_pass $host:$4; fastcgi_param SCRIPT_FILENAME $work/page.php; fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_URI \$request_uri; fastcgi_param SERVER_PROTOCOL \$server_protocol; } } }|" "$1/nginx.conf" ;;
	esac
}
carrier_up() { # kind command-prefix...: its port in $port, its masters in $masters
	local kind=$1 pool dir
	shift
	port=$(free_port) pool=$(free_port) dir=$(mktemp -d "$work/car.XXXX") masters=
	carrier_conf "$dir" "$port" "$kind" "$pool"
	if [ "$kind" = fpm ]; then
		printf '[global]\nerror_log = %s/fpm.log\ndaemonize = no\n[p]\n%slisten = %s:%s\npm = static\npm.max_children = 2\n' "$dir" \
			"$([ "$(id -u)" = 0 ] && printf 'user = www-data\ngroup = www-data\nx')" "$host" "$pool" | sed 's/^xlisten/listen/' >"$dir/fpm.conf"
		"${of_service[@]}" env "$@" "$php_fpm" -F -y "$dir/fpm.conf" >/dev/null 2>&1 &
		masters=$!
		pids+=("$masters")
		wait_port "$pool" || return
	fi
	nginx_up "$dir" "$port" "$@" || return
	masters="$master $masters"
}
load_h2() { # url: "requests requests/s"
	local n=$((20000 / scale))
	"${of_others[@]}" h2load -n "$n" -c 4 -m 16 "$1" | awk -v n="$n" '/^finished/ {print n, $4}'
}
carrier_pair() { # title kind budget
	local bare bare_port
	carrier_up "$2" X=1 || return
	bare=$masters bare_port=$port
	carrier_up "$2" $(traced) || return
	case $2 in
	tls) load() { load_wrk "https://$host:$1/1k" 16; } ;;
	tls-100k) load() { load_wrk "https://$host:$1/100k" 16; } ;;
	tls-new) load() { load_wrk "https://$host:$1/1k" 16 -H 'Connection: close'; } ;;
	fpm) load() { load_wrk "http://$host:$1/1k" 2; } ;;
	h2) load() { load_h2 "https://$host:$1/1k"; } ;;
	h2c) load() { load_h2 "http://$host:$1/1k"; } ;;
	esac
	turns "$1" "$3" "" "$bare_port" "$bare" "$port" "$masters"
}

host=127.0.0.1
php_fpm=$(ls /usr/sbin/php-fpm[0-9]* 2>/dev/null | head -n 1)
echo '<?php echo "ok\n";' >"$work/page.php"
if have nginx && have wrk && have openssl; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
	chmod 644 "$work"/*.pem
	carrier_pair "TLS, 1 KB on kept connections" tls ">= 0.98"
	carrier_pair "TLS, 100 KB on kept connections" tls-100k ">= 0.98"
	carrier_pair "TLS, 1 KB, a handshake each" tls-new ">= 0.98"
	[ -n "$php_fpm" ] && carrier_pair "PHP-FPM, both traced" fpm ""
	if have h2load; then
		carrier_pair "HTTP/2 over TLS, 1 KB" h2 ""
		carrier_pair "HTTP/2 in the clear, 1 KB" h2c ">= 0.96"
	fi
fi
