# rig.sh - sourced by exact_*.sh: the conversations' player, and how it is run.
need gcc
rig=$top/tests/integration/exact
gcc -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -o "$work/exact" "$rig"/*.c -lpthread -ldl || exit 1
conversations=("$rig"/conversations/*)

play() { # preload mode log
	LD_PRELOAD=$1 OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$work/spans.jsonl OTEL_METRICS_EXPORTER=none OTEL_LOG_LEVEL=error \
		"$work/exact" "$2" "$3" "${conversations[@]}"
}
