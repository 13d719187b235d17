# tls_front.sh BACK DIR, sourced: an nginx of its own, not traced, speaks TLS in front of the downstream server. Sets tls (its port)
# and tls_pid.
tls=$(/usr/bin/python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
common='client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; access_log off; keepalive_requests 1000000;'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=back -keyout "$2/key" -out "$2/cert" 2>/dev/null
cat >"$2/tls.conf" <<END
daemon off; worker_processes 1; pid tls.pid; error_log tls.log;
events { worker_connections 8192; }
http { $common
  upstream back { server 127.0.0.1:$1; keepalive 64; keepalive_requests 1000000; }
  server { listen 127.0.0.1:$tls ssl backlog=4096; ssl_certificate $2/cert; ssl_certificate_key $2/key;
    location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
END
nginx -p "$2" -c tls.conf &
tls_pid=$!
