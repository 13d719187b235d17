# Sourced by run.sh: hooks that only listen, in turns; see bench_waits.c.
waits_counted() { # command...: instructions
	OTEL_TRACES_EXPORTER=none "$@" 2>&1 >/dev/null | awk '/Collected/ {print $4}'
}
waits_row() { # title rounds budget what [serving]
	local title=$1 rounds=$2 budget=$3 program=$build/bench/bench_waits few=100 many=2100 bare with
	local grind=(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program")
	shift 3
	rm -f "$work"/w.*
	for _ in 1 2 3 4 5; do
		"$program" "$1" $((rounds / scale)) ${2:+"$2"} >>"$work/w.bare"
		preloaded env OTEL_TRACES_EXPORTER=none "$program" "$1" $((rounds / scale)) ${2:+"$2"} >>"$work/w.with"
	done
	bare=$(median <"$work/w.bare") with=$(median <"$work/w.with")
	row "$title, ns a call" "$bare" "$with" "$(calc %+.1f "$with - $bare")" "$budget"
	have valgrind || return
	bare=$(($(waits_counted "${grind[@]}" "$1" $many ${2:+"$2"}) - $(waits_counted "${grind[@]}" "$1" $few ${2:+"$2"})))
	with=$(($(waits_counted preloaded "${grind[@]}" "$1" $many ${2:+"$2"}) - $(waits_counted preloaded "${grind[@]}" "$1" $few ${2:+"$2"})))
	bare=$(calc %.1f "$bare / ($many - $few)") with=$(calc %.1f "$with / ($many - $few)")
	row "  instructions a call" "$bare" "$with" "$(calc %+.1f "$with - $bare")" ""
}
waits_row "epoll_wait, an event ready" 1000000 "<= 30" epoll
waits_row "epoll_wait, the same with a time-out" 1000000 "<= 30" timeout
waits_row "epoll_wait, a look that finds nothing" 1000000 "<= 30" look
waits_row "pthread_cond_wait, two threads in turns" 200000 "<= 30" cond
waits_row "  one of them in the midst of a request" 200000 "<= 30" cond serving
waits_row "pthread_cond_signal, nobody waits" 1000000 "<= 30" signal
waits_row "  in the midst of a request" 1000000 "<= 30" signal serving
waits_row "pthread_cond_timedwait that is over" 1000000 "<= 30" timed
waits_row "  in the midst of a request" 1000000 "<= 30" timed serving
waits_row "pthread_create and pthread_join" 20000 "<= 30" create
waits_row "  in the midst of a request" 20000 "<= 30" create serving
