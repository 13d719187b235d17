#!/bin/sh
# vendor.sh [ROOT]: our own prototypes of other people's functions are those of their headers, where these are installed.
cd "${1:-.}" || exit 2
failed=0
compare() { # vendor's header, ours
	if ! printf '#include <%s>\n' "$1" | ${CC:-cc} -fsyntax-only -x c - 2>/dev/null; then
		echo "vendor: <$1> is not installed: $2 not compared"
		return
	fi
	printf '#include <%s>\n#include "%s"\n' "$1" "$2" | ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -I. -fsyntax-only -Wall -Werror -x c - || {
		echo "vendor: $2 differs from <$1>"
		failed=1
	}
}
compare openssl/ssl.h hooks/openssl.h
compare gnutls/gnutls.h hooks/gnutls.h
exit $failed
