# apache_php - httpd, MPM prefork, with mod_php.
# rig: needs=/usr/sbin/apache2 /usr/lib/apache2/modules/libphp8.2.so
# rig: calls=3
exec bash "${0%_php.sh}_event.sh" "$@" prefork php
