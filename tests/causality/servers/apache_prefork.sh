# apache_prefork - httpd as a proxy, MPM prefork.
# rig: needs=/usr/sbin/apache2
exec bash "${0%_prefork.sh}_event.sh" "$@" prefork
