# java_httpclient - a fixed pool, and java.net.http.HttpClient.
# rig: needs=java javac
# rig: calls=3
# rig: warm=400
exec $TRACED java -Xmx512m -XX:TieredStopAtLevel=1 -Dclient=http "${0%_httpclient.sh}_fixed.java" "$@"
