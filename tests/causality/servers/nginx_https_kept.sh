# nginx_https_kept - the same with connections that are kept.
# rig: needs=nginx openssl
exec bash "${0%_kept.sh}.sh" "$@" keep
