#!/usr/bin/env bash
# selftest.sh BUILD: each lint is shown something wrong and must say so.
set -u
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
must_fail() { # name command...
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "lint-selftest: $name did not notice"
		failed=1
	fi
}
mkdir -p "$work/t/preload" "$work/t/hooks/protocols" "$work/t/exporter" "$work/t/demo"
echo '#include "exporter/exporter.h"' >"$work/t/preload/a.c"
must_fail "layers (preload to exporter)" tests/lint/layers.sh "$work/t"
echo '#include "preload/conn.h"' >"$work/t/hooks/protocols/b.c"
rm "$work/t/preload/a.c"
must_fail "layers (protocol to conn)" tests/lint/layers.sh "$work/t"
rm "$work/t/hooks/protocols/b.c"
{ echo 'int f(void)'; echo '{'; for _ in $(seq 61); do echo '	f();'; done; echo '}'; } >"$work/t/preload/long.c"
must_fail "sizes (function)" tests/lint/sizes.sh "$work/t"
for _ in $(seq 601); do echo; done >"$work/t/preload/long.c"
must_fail "sizes (file)" tests/lint/sizes.sh "$work/t"
echo 'int extra(void); int extra(void) { return 0; }' | gcc -shared -fPIC -x c -o "$work/libx.so" -
must_fail "exports" tests/lint/exports.sh "$work/libx.so"
echo '#include <unistd.h>
int f(void); int f(void) { return close(3); }' | gcc -c -x c -o "$work/x.o" -
must_fail "selfcall" tests/lint/selfcall.sh "$work/x.o"
echo '#include <unistd.h>
int f(void); int f(void) { return execv("/", 0); }' | gcc -c -flto -ffat-lto-objects -x c -o "$work/x.o" -
must_fail "selfcall (a builtin, of what can be linked both ways)" tests/lint/selfcall.sh "$work/x.o"
if echo '#include <openssl/ssl.h>' | gcc -fsyntax-only -x c - 2>/dev/null; then
	echo 'typedef struct ssl_st SSL; long SSL_clear(SSL *s);' >"$work/t/hooks/openssl.h"
	cp hooks/gnutls.h "$work/t/hooks/"
	must_fail "vendor" tests/lint/vendor.sh "$work/t"
fi
git init -q "$work/top" && touch "$work/top/left.jsonl" && git -C "$work/top" add left.jsonl
must_fail "top" tests/lint/top.sh "$work/top"
[ $failed = 0 ] && echo "lint-selftest: each lint noticed"
exit $failed
