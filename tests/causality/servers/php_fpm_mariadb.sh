# php_fpm_mariadb - PHP-FPM behind an nginx that is not traced, mysqli; a connection to MariaDB for each request.
# rig: needs=nginx /usr/sbin/php-fpm* mariadb-install-db /usr/sbin/mariadbd /usr/lib/php/*/mysqli.so
# rig: back=mariadb
# rig: calls=3
exec bash "${0%_mariadb.sh}.sh" "$@" mysqli
