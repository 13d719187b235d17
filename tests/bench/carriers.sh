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
	tls) sed -i "s|listen $host:$2;|listen $host:$2 ssl; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;|" "$1/nginx.conf" ;;
	h2) sed -i "s|listen $host:$2;|listen $host:$2 ssl http2; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;|" "$1/nginx.conf" ;;
	h2c) sed -i "s|listen $host:$2;|listen $host:$2 http2;|" "$1/nginx.conf" ;;
	fpm) sed -i "s|location / .*|location / { fastcgi_pass $host:$4; fastcgi_param SCRIPT_FILENAME $work/page.php; fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_URI \$request_uri; fastcgi_param SERVER_PROTOCOL \$server_protocol; } } }|" "$1/nginx.conf" ;;
	esac
}
carrier_load() { # kind port seconds: "requests rps"
	local n=$((40000 * $3 / scale))
	case $1 in
	tls) wrk -t1 -c16 -d"$3" "https://$host:$2/1k" | awk '/requests in/ {n=$1} /Requests\/sec/ {print n, $2}' ;;
	fpm) wrk -t1 -c2 -d"$3" "http://$host:$2/1k" | awk '/requests in/ {n=$1} /Requests\/sec/ {print n, $2}' ;;
	h2) h2load -n "$n" -c 4 -m 16 "https://$host:$2/1k" | awk -v n="$n" '/^finished/ {print n, $4}' ;;
	h2c) h2load -n "$n" -c 4 -m 16 "http://$host:$2/1k" | awk -v n="$n" '/^finished/ {print n, $4}' ;;
	esac
}
carrier_run() { # name kind command-prefix...
	local name=$1 kind=$2 port pool dir master fpm="" before after requests rps
	shift 2
	port=$(free_port) pool=$(free_port) dir=$(mktemp -d "$work/car.XXXX")
	carrier_conf "$dir" "$port" "$kind" "$pool"
	if [ "$kind" = fpm ]; then
		printf '[global]\nerror_log = %s/fpm.log\ndaemonize = no\n[p]\n%slisten = %s:%s\npm = static\npm.max_children = 2\n' "$dir" \
			"$([ "$(id -u)" = 0 ] && printf 'user = www-data\ngroup = www-data\nx')" "$host" "$pool" | sed 's/^xlisten/listen/' >"$dir/fpm.conf"
		"$@" "$php_fpm" -F -y "$dir/fpm.conf" >/dev/null 2>&1 &
		fpm=$!
		pids+=("$fpm")
		wait_port "$pool"
	fi
	"$@" nginx -p "$dir" -c nginx.conf >/dev/null 2>&1 &
	master=$!
	pids+=("$master")
	wait_port "$port" || { echo "nginx ($kind) did not start" >&2; return; }
	carrier_load "$kind" "$port" 1 >/dev/null
	before=$(($(cpu_ms "$master") + $([ -n "$fpm" ] && cpu_ms "$fpm" || echo 0)))
	read -r requests rps < <(carrier_load "$kind" "$port" $((scale == 1 ? 4 : 2)))
	sleep 0.3
	after=$(($(cpu_ms "$master") + $([ -n "$fpm" ] && cpu_ms "$fpm" || echo 0)))
	echo "$rps $(calc %.3f "($after - $before) * 1000 / $requests")" >>"$work/$name"
	kill "$master" ${fpm:+"$fpm"}; wait "$master" ${fpm:+"$fpm"} 2>/dev/null
}
carrier_pairs() { # title kind budget
	rm -f "$work"/c.*
	for _ in 1 2 3; do
		carrier_run c.bare "$2" env X=1
		carrier_run c.with "$2" env LD_PRELOAD="$lib" OTEL_EXPORTER_OTLP_ENDPOINT="$endpoint" OTEL_METRICS_EXPORTER=none
	done
	row "nginx, $1, requests/s" "$(cut -d' ' -f1 "$work/c.bare" | median)" "$(cut -d' ' -f1 "$work/c.with" | median)" \
		"x $(paste "$work/c.bare" "$work/c.with" | awk '{print $3 / $1}' | median)" "$3"
	row "  CPU per request, us (all workers and exporters)" "$(cut -d' ' -f2 "$work/c.bare" | median)" "$(cut -d' ' -f2 "$work/c.with" | median)" \
		"x $(paste "$work/c.bare" "$work/c.with" | awk '{print $4 / $2}' | median)" ""
}

host=127.0.0.1
php_fpm=$(ls /usr/sbin/php-fpm[0-9]* 2>/dev/null | head -n 1)
echo '<?php echo "ok\n";' >"$work/page.php"
if have nginx && have wrk && have openssl; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
	chmod 644 "$work"/*.pem
	carrier_pairs "TLS, 1 KB" tls ">= 0.98"
	[ -n "$php_fpm" ] && carrier_pairs "PHP-FPM, both traced" fpm ""
	if have h2load; then
		carrier_pairs "HTTP/2 over TLS, 1 KB" h2 ""
		carrier_pairs "HTTP/2 in the clear, 1 KB" h2c ">= 0.96"
	fi
fi
