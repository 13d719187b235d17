#!/usr/bin/env bash
# run.sh [NAME...]: every integration test, or those named, as many at a time as there are processors, two at the most
# (TEST_JOBS); each with a time limit; ends with a count.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
limit=${TEST_TIMEOUT:-400}
jobs=${TEST_JOBS:-$(nproc)}
[ "$jobs" -le 2 ] || jobs=2
passed=0 failed=0 skipped=0
# Those that take longest begin first; those that measure time or memory have the machine for themselves, at the end.
first="causality mysql exact_refusals postgres db_large curl"
alone="stack timers safety_guest safety_rows"
together=() apart=()
is_one_of() { [[ " $2 " == *" $1 "* ]]; }
add() { is_one_of "$1" "$alone" && apart+=("$1") || together+=("$1"); }
if [ $# -gt 0 ]; then
	for name in "$@"; do name=${name##*/} && add "${name%.sh}"; done
else
	for name in $first; do add "$name"; done
	for test in "$here"/*.sh; do
		name=$(basename "$test" .sh)
		is_one_of "$name" "lib run suites $first" || add "$name"
	done
fi

kept=$(mktemp -d)
declare -A name_of=() lane_of=() began=()
stop() { # timeout, which each is run by, passes it on to all of the test
	trap '' INT TERM
	[ ${#name_of[@]} = 0 ] || kill "${!name_of[@]}" 2>/dev/null
	wait
	exit 130
}
trap stop INT TERM
trap 'rm -rf "$kept"' EXIT

start() { # NAME LANE
	# A shell's background jobs ignore INT and QUIT, unless told otherwise.
	TEST_LANE=$2 env --default-signal=INT,QUIT timeout --kill-after=10 "$limit" bash "tests/integration/$1.sh" \
		>"$kept/$1" 2>&1 </dev/null &
	name_of[$!]=$1 lane_of[$!]=$2 began[$!]=$SECONDS
}
report() { # NAME STATUS SECONDS
	local output=$kept/$1
	case $2 in
	0)
		passed=$((passed + 1))
		echo "ok      $1 ($3 s)"
		grep '^left out' "$output" | sed 's/^/        /' ;; # a part of it that has not been run
	77) skipped=$((skipped + 1)); echo "skipped $1: $(tail -n 1 "$output" | sed 's/^skipped: //')" ;;
	124 | 137) failed=$((failed + 1)); echo "FAILED  $1: not done within $limit s"; tail -n 40 "$output" | sed 's/^/    /' ;;
	*) failed=$((failed + 1)); echo "FAILED  $1 ($3 s)"; tail -n 40 "$output" | sed 's/^/    /' ;;
	esac
	rm -f "$output"
}
one_ends() { # sets lane: it is free again
	local ended status
	wait -n -p ended
	status=$?
	report "${name_of[$ended]}" $status $((SECONDS - began[$ended]))
	lane=${lane_of[$ended]}
	unset "name_of[$ended]"
}
run() { # JOBS NAME...
	local at_once=$1 lane=0
	shift
	for name in "$@"; do
		[ ${#name_of[@]} -lt "$at_once" ] && lane=${#name_of[@]} || one_ends
		start "$name" "$lane"
	done
	while [ ${#name_of[@]} -gt 0 ]; do one_ends; done
}
run "$jobs" "${together[@]}"
run 1 "${apart[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
