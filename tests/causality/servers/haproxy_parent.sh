# haproxy_parent - the same, and every request has a traceparent already.
# rig: needs=/usr/sbin/haproxy
# rig: load=parent=1000
exec bash "${0%_parent.sh}.sh" "$@"
