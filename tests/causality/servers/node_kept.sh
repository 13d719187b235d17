# node_kept - the same with connections that are kept.
# rig: needs=node
# rig: calls=3
RIG_AGENT=keep exec $TRACED node "${0%_kept.sh}.js" "$@"
