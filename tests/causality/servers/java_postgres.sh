# java_postgres - com.sun's HttpServer, a pool of 64 threads with a connection to PostgreSQL each, JDBC.
# rig: needs=java javac /usr/lib/postgresql/1?/bin/postgres /usr/share/java/postgresql.jar
# rig: back=postgres
# rig: calls=3
# rig: warm=400
exec $TRACED java -Xmx512m -XX:TieredStopAtLevel=1 -cp /usr/share/java/postgresql.jar "-Ddatabase=jdbc:postgresql://127.0.0.1:BACK/postgres?user=rig&sslmode=disable&gssEncMode=disable" \
	"-Dsleep=pg_sleep(0.01 * random())" "${0%_postgres.sh}_fixed.java" "$@"
