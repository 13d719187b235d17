# nginx_kept - a proxy that keeps its connections.
# rig: needs=nginx
exec bash "${0%_kept.sh}.sh" "$@" keep
