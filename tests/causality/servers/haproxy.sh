# haproxy - one thread, connections to the server are kept and shared.
# rig: needs=/usr/sbin/haproxy
port=$1 back=$2 dir=$3
cat >"$dir/haproxy.cfg" <<END
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:$port backlog 4096
  default_backend out
backend out
  http-reuse always
  server back 127.0.0.1:$back
END
exec $TRACED /usr/sbin/haproxy -db -f "$dir/haproxy.cfg"
