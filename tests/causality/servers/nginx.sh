# nginx - a proxy, each call on a connection of its own.
# rig: needs=nginx
port=$1 back=$2 dir=$3 keep=${4:-}
pool='' proxied=''
[ -n "$keep" ] && pool='keepalive 64; keepalive_requests 1000000;' proxied='proxy_http_version 1.1; proxy_set_header Connection "";'
cat >"$dir/nginx.conf" <<END
daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 1000000;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream back { server 127.0.0.1:$back; $pool }
  server { listen 127.0.0.1:$port backlog=4096; location / { proxy_pass http://back; $proxied } } }
END
exec $TRACED nginx -p "$dir" -c nginx.conf
