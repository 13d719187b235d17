#!/usr/bin/env bash
# make demo [KEEP=1]: HTTP/2 over TLS -> nginx -> FastCGI -> PHP -> https -> Python -> C with libcurl -> C, none of which knows
# of tracing, and the databases that they ask; a request that works, one that fails, one that is slow and one that asks a
# database the same thing over and over; the trace of each. DEMO_FILE=path keeps the spans there.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
work=$(mktemp -d)
chmod 777 "$work" # nginx's workers give up root
spans=${DEMO_FILE:-$work/spans.jsonl}
pids=()

stop() {
	trap '' INT TERM
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

fail() {
	echo "demo: $*" >&2
	for log in "$work"/*.log; do [ -s "$log" ] && { echo "--- $log" >&2; tail -n 5 "$log" >&2; }; done
	exit 1
}

# Below the range that outgoing connections take theirs from: they are still free when the programs start. (What is below these
# is the tests'.)
free_ports() {
	/usr/bin/python3 -c 'import random, socket
s = []
while len(s) < 7:
    x = socket.socket()
    try:
        x.bind(("127.0.0.1", random.randrange(28000, 32000)))
        s.append(x)
    except OSError:
        x.close()
print(*[x.getsockname()[1] for x in s])'
}
case $build in *[:\ ]*) fail "LD_PRELOAD cannot carry '$build', which holds a blank or a colon" ;; esac
read -r front page shop orders stock cache orders_db < <(free_ports)

# This is all that it takes: a library in front of the program, and a name for it.
start() { # service command...
	local service=$1
	shift
	env LD_PRELOAD="$build/libtagalong.so" OTEL_SERVICE_NAME="$service" OTEL_BSP_SCHEDULE_DELAY=100 \
		OTEL_TRACES_EXPORTER="${DEMO_EXPORTER:-otlp_file}" TAGALONG_FILE="$spans" "$@" >"$work/$service.log" 2>&1 &
	pids+=($!)
}

# The databases, which are not traced: they only answer.
PATH=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1):$PATH:/usr/sbin
for program in initdb postgres psql mariadb-install-db mariadbd mariadb redis-server; do
	command -v $program >/dev/null || fail "$program is not installed: make deps-demo"
done
as_server=() # PostgreSQL's does not run as root
[ "$(id -u)" = 0 ] && as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
mkdir "$work/pg" "$work/maria"
[ "$(id -u)" = 0 ] && chown postgres "$work/pg"
here=127.0.0.1
(
	"${as_server[@]}" initdb -D "$work/pg/data" -U postgres -A trust -N -E UTF8 --no-locale >"$work/initdb.log" 2>&1 &&
		exec "${as_server[@]}" postgres -D "$work/pg/data" -p "$orders_db" -h $here -k "$work/pg" -F >"$work/postgres.log" 2>&1
) &
pids+=($!)
(
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$work/maria/data" --auth-root-authentication-method=normal \
		--skip-test-db >"$work/install.log" 2>&1 &&
		exec mariadbd --no-defaults --user="$(id -un)" --datadir="$work/maria/data" --socket="$work/maria/socket" \
			--skip-networking --pid-file="$work/maria/pid" --innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0 \
			>"$work/mariadb.log" 2>&1
) &
pids+=($!)
redis-server --port "$cache" --bind $here --save '' --dir "$work" >"$work/redis.log" 2>&1 &
pids+=($!)

fpm=$(ls /usr/sbin/php-fpm[0-9]* 2>/dev/null | head -n 1)
[ -n "$fpm" ] || fail "php-fpm is not installed: make deps"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null || fail "openssl made no certificate"
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
chmod 644 "$work"/*.pem

cp "$top/demo/page.php" "$work/page.php"
cat >"$work/fpm.conf" <<EOF
[global]
error_log = $work/fpm.log
daemonize = no
[page]
$([ "$(id -u)" = 0 ] && printf 'user = www-data\ngroup = www-data\n')
listen = 127.0.0.1:$page
pm = static
pm.max_children = 2
EOF

mkdir -p "$work/nginx"
cat >"$work/nginx/nginx.conf" <<EOF
worker_processes 1; daemon off; pid nginx.pid; error_log error.log;
events { }
http {
	access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	server {
		listen 127.0.0.1:$front ssl http2;
		ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem;
		location / {
			fastcgi_pass 127.0.0.1:$page;
			fastcgi_param SCRIPT_FILENAME $work/page.php;
			fastcgi_param DOCUMENT_URI \$document_uri; fastcgi_param REQUEST_URI \$request_uri;
			fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param REQUEST_SCHEME \$scheme;
			fastcgi_param SERVER_PROTOCOL \$server_protocol; fastcgi_param SERVER_NAME localhost;
			fastcgi_param SERVER_PORT \$server_port; fastcgi_param REMOTE_ADDR \$remote_addr;
			fastcgi_param SHOP https://localhost:$shop; fastcgi_param CA $work/cert.pem;
			fastcgi_param DATABASE $work/maria/socket;
		}
	}
}
EOF

asked=0
until psql -Xq -h $here -p "$orders_db" -U postgres -c 'select 1' >/dev/null 2>&1 &&
	mariadb --no-defaults -uroot -S "$work/maria/socket" -e 'select 1' >/dev/null 2>&1; do
	[ $((asked += 1)) -le 600 ] || fail "the databases do not answer"
	sleep 0.1
done
psql -Xq -h $here -p "$orders_db" -U postgres -v ON_ERROR_STOP=1 >"$work/psql.log" 2>&1 <<'EOF' || fail "the orders were not laid"
create table orders (id int primary key, customer text not null);
create table order_lines (order_id int, product int);
create table products (id int primary key, name text, price numeric);
insert into orders select id, 'customer ' || id from generate_series(1, 99) id;
insert into products select id, 'product ' || id, id * 0.99 from generate_series(1, 50) id;
insert into order_lines select 7, id from generate_series(1, 12) id union all select 42, 1;
EOF
mariadb --no-defaults -uroot -S "$work/maria/socket" >"$work/sql.log" 2>&1 <<'EOF' || fail "the pages were not laid"
create database site;
create table site.pages (item int primary key, title varchar(80));
insert into site.pages values (42, 'Forty-two'), (13, 'Bad luck'), (99, 'Last one'), (7, 'Seven');
EOF

: >"$spans" && chmod 666 "$spans"
start stock "$build/demo/stock" "$stock"
start orders "$build/demo/orders" "$orders" "http://127.0.0.1:$stock" \
	"host=$here port=$orders_db user=postgres dbname=postgres sslmode=disable"
start shop /usr/bin/python3 "$top/demo/shop.py" "$shop" "http://127.0.0.1:$orders" "$work/both.pem" "$cache"
start page "$fpm" -F -y "$work/fpm.conf"
start front nginx -p "$work/nginx" -c nginx.conf

for port in $stock $orders $shop $page $front; do
	for _ in $(seq 600); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
		sleep 0.05
	done
	fail "nothing listens on port $port"
done

ask() { # item title
	local status
	status=$(curl -s -o "$work/answer" -w '%{http_code}' --cacert "$work/cert.pem" "https://localhost:$front/page/$1")
	printf '%s: GET /page/%s -> %s %s' "$2" "$1" "$status" "$(cat "$work/answer")"
	echo
}
echo "HTTP/2 over TLS -> nginx (front) -> FastCGI -> PHP (page) -> https -> Python (shop) -> C with libcurl (orders) -> C (stock)"
echo
ask 42 "a request that works"
ask 13 "one that fails      "
ask 99 "one that is slow    "
ask 7 "one that asks a lot "
echo

if [ "${DEMO_EXPORTER:-otlp_file}" = otlp_file ]; then
	for _ in $(seq 300); do
		[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 65 ] && break
		sleep 0.1
	done
	"$build/tagalong" view "$spans"
	[ "$(grep -o '"traceId"' "$spans" | wc -l)" -ge 65 ] || fail "not all of the 65 spans arrived"
else
	sleep 1
fi

if [ -n "${KEEP:-}" ]; then
	echo
	echo "Still running. More requests: curl --cacert $work/cert.pem https://localhost:$front/page/7"
	echo "Their traces:                 $build/tagalong view $spans"
	echo "To stop:                      Ctrl-C, or kill $$"
	while :; do sleep 1 & wait $!; done
fi
