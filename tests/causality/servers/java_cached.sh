# java_cached - the same with a pool that grows.
# rig: needs=java javac
# rig: calls=3
# rig: warm=400
exec $TRACED java -Xmx512m -XX:TieredStopAtLevel=1 -Dpool=cached "${0%_cached.sh}_fixed.java" "$@"
