# haproxy_request - the same, and TAGALONG_CORRELATE says that each request is passed on as it is.
# rig: needs=/usr/sbin/haproxy
# rig: env=TAGALONG_CORRELATE=:request
exec bash "${0%_request.sh}.sh" "$@"
