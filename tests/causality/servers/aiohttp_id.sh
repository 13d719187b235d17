# aiohttp_id - the same, and TAGALONG_CORRELATE names the header that it passes on.
# rig: needs=py:aiohttp
# rig: calls=3
# rig: env=TAGALONG_CORRELATE=x-request-id
exec $TRACED /usr/bin/python3 "${0%_id.sh}.py" "$@"
