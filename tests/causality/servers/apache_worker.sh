# apache_worker - httpd as a proxy, MPM worker.
# rig: needs=/usr/sbin/apache2
exec bash "${0%_worker.sh}_event.sh" "$@" worker
