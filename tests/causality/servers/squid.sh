# squid - in front of one server.
# rig: needs=/usr/sbin/squid
port=$1 back=$2 dir=$3
cat >"$dir/squid.conf" <<END
http_port 127.0.0.1:$port accel no-vhost defaultsite=rig
cache_peer 127.0.0.1 parent $back 0 no-query originserver no-digest
acl all_of_it src all
http_access allow all_of_it
cache deny all_of_it
access_log none
cache_log $dir/cache.log
pid_filename none
coredump_dir $dir
cache_mem 8 MB
shutdown_lifetime 0 seconds
pinger_enable off
never_direct allow all_of_it
END
chmod 777 "$dir"
exec $TRACED /usr/sbin/squid -N -f "$dir/squid.conf"
