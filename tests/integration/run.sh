#!/usr/bin/env bash
# run.sh [NAME...]: every integration test, or those named; each with a time limit; ends with a count.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
limit=${TEST_TIMEOUT:-400}
passed=0 failed=0 skipped=0
tests=()
if [ $# -gt 0 ]; then
	for name in "$@"; do tests+=("tests/integration/${name%.sh}.sh"); done
else
	for test in tests/integration/*.sh; do
		case ${test##*/} in lib.sh | run.sh | suites*.sh) ;; *) tests+=("$test") ;; esac
	done
fi
for test in "${tests[@]}"; do
	name=$(basename "$test" .sh)
	from=$SECONDS
	output=$(timeout --kill-after=10 "$limit" bash "$test" 2>&1 </dev/null)
	status=$?
	took=$((SECONDS - from))
	case $status in
	0)
		passed=$((passed + 1))
		echo "ok      $name (${took} s)"
		grep '^left out' <<<"$output" | sed 's/^/        /' ;; # a part of it that has not been run
	77) skipped=$((skipped + 1)); echo "skipped $name: $(tail -n 1 <<<"$output" | sed 's/^skipped: //')" ;;
	124 | 137) failed=$((failed + 1)); echo "FAILED  $name: not done within $limit s"; tail -n 40 <<<"$output" | sed 's/^/    /' ;;
	*) failed=$((failed + 1)); echo "FAILED  $name (${took} s)"; tail -n 40 <<<"$output" | sed 's/^/    /' ;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
