# lighttpd - a proxy.
# rig: needs=/usr/sbin/lighttpd
port=$1 back=$2 dir=$3
cat >"$dir/lighttpd.conf" <<END
server.document-root = "$dir"
server.port = $port
server.bind = "127.0.0.1"
server.listen-backlog = 4096
server.max-connections = 2048
server.max-fds = 8192
server.max-keep-alive-requests = 1000000
server.modules = ( "mod_proxy" )
server.errorlog = "$dir/error.log"
proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => $back ) ) )
END
exec $TRACED /usr/sbin/lighttpd -D -f "$dir/lighttpd.conf"
