# java_mariadb - com.sun's HttpServer, a pool of 64 threads with a connection to MariaDB each, JDBC.
# rig: needs=java javac mariadb-install-db /usr/sbin/mariadbd /usr/share/java/mariadb-java-client.jar
# rig: back=mariadb
# rig: calls=3
# rig: warm=400
exec $TRACED java -Xmx512m -XX:TieredStopAtLevel=1 -cp /usr/share/java/mariadb-java-client.jar "-Ddatabase=jdbc:mariadb://127.0.0.1:BACK/?user=rig&password=rig" \
	"-Dsleep=SLEEP(0.01 * RAND())" "${0%_mariadb.sh}_fixed.java" "$@"
