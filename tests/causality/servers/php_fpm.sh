# php_fpm - PHP-FPM behind an nginx that is not traced.
# rig: needs=nginx /usr/sbin/php-fpm*
# rig: calls=3
port=$1 back=$2 dir=$3
cp "$(dirname "$0")/../pages/${4:-page}.php" "$dir/page.php"
cat >"$dir/nginx.conf" <<END
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 1000000;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server { listen 127.0.0.1:$port backlog=4096; location / { fastcgi_pass unix:$dir/fpm.sock; fastcgi_param SCRIPT_FILENAME $dir/page.php;
    fastcgi_param REQUEST_URI \$request_uri; fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param SERVER_PROTOCOL \$server_protocol;
    fastcgi_param SERVER_ADDR \$server_addr; fastcgi_param SERVER_PORT \$server_port; fastcgi_param BACK $back; } } }
END
cat >"$dir/fpm.conf" <<END
[global]
error_log = $dir/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = $dir/fpm.sock
listen.backlog = 4096
listen.mode = 0666
pm = static
pm.max_children = 24
clear_env = no
END
chmod a+rx "$dir"
fpm=$(ls /usr/sbin/php-fpm* | head -n 1)
$TRACED "$fpm" -F -R -y "$dir/fpm.conf" &
fpm_pid=$!
trap 'kill $fpm_pid $nginx_pid; wait' TERM
while [ ! -S "$dir/fpm.sock" ]; do sleep 0.05; done
nginx -p "$dir" -c nginx.conf &
nginx_pid=$!
wait
