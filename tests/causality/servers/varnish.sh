# varnish - in front of one server, nothing cached; threads.
# rig: needs=/usr/sbin/varnishd
port=$1 back=$2 dir=$3
cat >"$dir/rig.vcl" <<END
vcl 4.0;
backend default { .host = "127.0.0.1"; .port = "$back"; }
sub vcl_recv { return (pass); }
END
exec $TRACED /usr/sbin/varnishd -F -j none -n "$dir/varnish" -a "127.0.0.1:$port" -f "$dir/rig.vcl" -s malloc,16m -p thread_pool_min=50 \
	-p listen_depth=4096
