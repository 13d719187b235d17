# squid_id - the same, and TAGALONG_CORRELATE names the header that it passes on.
# rig: needs=/usr/sbin/squid
# rig: env=TAGALONG_CORRELATE=x-request-id
exec bash "${0%_id.sh}.sh" "$@"
