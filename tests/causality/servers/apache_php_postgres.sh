# apache_php_postgres - httpd, MPM prefork, with mod_php and PDO; a process keeps its connection to PostgreSQL.
# rig: needs=/usr/sbin/apache2 /usr/lib/apache2/modules/libphp8.2.so /usr/lib/postgresql/1?/bin/postgres /usr/lib/php/*/pdo_pgsql.so
# rig: back=postgres
# rig: calls=3
exec bash "${0%_php_postgres.sh}_event.sh" "$@" prefork php pdo_pgsql
