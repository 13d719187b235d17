#!/usr/bin/env bash
# fuzz_one.sh SECONDS DIRECTORY TARGET: one fuzz target from its corpus; findings go to the directory, with the input that shows
# them. What a target that failed said is left in DIRECTORY/failed-NAME, to be shown once more when all are through.
set -u
seconds=$1 dir=$2 target=$3 name=${3##*/fuzz_}
case $name in check | config | view | symbols) seconds=$(((seconds + 2) / 3)) ;; esac # files of the user's own, and no stranger's bytes
mkdir -p "$dir/corpus/$name"
rm -f "$dir/failed-$name" "$dir/found-$name-"*
output=$("$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
	-artifact_prefix="$dir/found-$name-" "$dir/corpus/$name" "tests/fuzz/corpus/$name" 2>&1)
status=$?
# Time is the clock's, and a machine may stand still: what took too long (libFuzzer's 70) is a finding if it does so again.
hang=$(find "$dir" -name "found-$name-timeout-*" | head -n 1)
if [ $status = 70 ] && [ -n "$hang" ] && "$target" -timeout=10 -runs=1 "$hang" >"$dir/again-$name" 2>&1; then
	echo "== fuzz $name: an input took over 10 s once and $(grep -o 'in [0-9]* ms' "$dir/again-$name") alone: the machine's doing"
	rm -f "$hang"
	status=0
fi
if [ $status != 0 ]; then
	{
		printf '== fuzz %s: FAILED, status %s\n' "$name" "$status"
		grep -vE '^(INFO|#[0-9]+\s+(NEW|REDUCE|pulse|INITED|DONE))' <<<"$output" | grep -v '# Uses:' | tail -n 60 | cut -c1-500
		for input in "$dir/found-$name-"*; do
			[ ! -f "$input" ] || printf '%s, base64: %s\n' "${input##*/}" "$(base64 -w0 "$input" | cut -c1-4000)"
		done
	} >"$dir/failed-$name"
fi
printf '== fuzz %s, %s s: %s\n%s\n' "$name" "$seconds" "$([ $status = 0 ] && echo ok || echo "FAILED, status $status")" \
	"$(grep -E '^stat::' <<<"$output")"
[ $status = 0 ] && rm -f "$dir/found-$name-slow-unit-"*
exit $status
