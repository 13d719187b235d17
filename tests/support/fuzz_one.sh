#!/usr/bin/env bash
# fuzz_one.sh SECONDS DIRECTORY TARGET: one fuzz target from its corpus; findings go to the directory, with the input that shows them.
set -u
seconds=$1 dir=$2 target=$3 name=${3##*/fuzz_}
mkdir -p "$dir/corpus/$name"
output=$("$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
	-artifact_prefix="$dir/found-$name-" "$dir/corpus/$name" "tests/fuzz/corpus/$name" 2>&1)
status=$?
printf '== fuzz %s, %s s: %s\n%s\n' "$name" "$seconds" "$([ $status = 0 ] && echo ok || echo "FAILED, status $status")" \
	"$(grep -vE '^(INFO|#)' <<<"$output" | tail -n 25)"
exit $status
