#!/usr/bin/env bash
# suites.sh: CPython's own tests of sockets, HTTP, processes, threads and asyncio, bare and with the library in front: the same
# tests must pass. A test that differs is run again twice each way, for those that are flaky on their own.
. "$(dirname "$0")/lib.sh"
need /usr/bin/python3
[ -d /usr/lib/python3.11/test ] || skip "libpython3.11-testsuite is not installed"
suites=${SUITES:-test_socket test_httplib test_httpservers test_subprocess test_threading test_asyncio}
# Left out: the VSOCK tests, which wait for ever for a host to call where a machine has the device but nobody behind it.
left_out='*VSOCK*'
echo "left out: $left_out (they hang bare where nobody is behind the device)"
cd "$work" || exit 1

run() { # how suite out
	local how=$1 suite=$2 out=$3
	shift 3
	if [ "$how" = with ]; then
		env LD_PRELOAD="$lib" OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$work/$suite.jsonl" OTEL_SERVICE_NAME="$suite" \
			timeout 400 /usr/bin/python3 -m test -v -i "$left_out" "$suite" "$@" >"$out" 2>&1 </dev/null
	else
		timeout 400 /usr/bin/python3 -m test -v -i "$left_out" "$suite" "$@" >"$out" 2>&1 </dev/null
	fi
}
# "test_name (class) ... ok" -> one line each, outcome last; times and addresses left out.
outcomes() {
	sed -nE 's/^(test[A-Za-z0-9_]+ \([^)]*\)).* \.\.\. .*(ok|FAIL|ERROR|expected failure)$/\1 \2/p; s/^(test[A-Za-z0-9_]+ \([^)]*\)).* \.\.\. skipped.*/\1 skipped/p' "$1" | sort
}
for suite in $suites; do
	run bare "$suite" "$work/$suite.bare" & # beside the other
	run with "$suite" "$work/$suite.with"
	wait $!
	outcomes "$work/$suite.bare" >"$work/$suite.bare.out"
	outcomes "$work/$suite.with" >"$work/$suite.with.out"
	differing=$(diff "$work/$suite.bare.out" "$work/$suite.with.out" | sed -nE 's/^[<>] (test[A-Za-z0-9_]+) .*/\1/p' | sort -u)
	still=
	for name in $differing; do
		for again in 1 2 3; do
			run bare "$suite" "$work/again.bare" -m "$name"
			run with "$suite" "$work/again.with" -m "$name"
			[ "$(outcomes "$work/again.bare")" = "$(outcomes "$work/again.with")" ] && continue 2
		done
		still="$still $name"
	done
	total=$(wc -l <"$work/$suite.bare.out")
	if [ -n "$still" ]; then
		bad "$suite: differs in$still"
		for name in $still; do grep -A25 -E "^(FAIL|ERROR): $name" "$work/$suite.with" | head -40; done
	else
		echo "$suite: $total tests, the same outcome bare and traced${differing:+ (at a second try: $differing)}; $(tail -n 1 "$work/$suite.with")"
	fi
	[ "$total" -gt 10 ] || bad "$suite: only $total outcomes were read"
done
finish
