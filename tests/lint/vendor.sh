#!/bin/sh
# vendor.sh [ROOT]: our own prototypes of other people's functions are those of their headers, where these are installed.
cd "${1:-.}" || exit 2
failed=0
flags="$(pkg-config --cflags glib-2.0 2>/dev/null) $(pkg-config --cflags apr-util-1 2>/dev/null)"
compare() { # vendor's header, ours
	if ! printf '#include <%s>\n' "$1" | ${CC:-cc} $flags -fsyntax-only -x c - 2>/dev/null; then
		echo "vendor: <$1> is not installed: $2 not compared"
		return
	fi
	printf '#include <%s>\n#include "%s"\n' "$1" "$2" | ${CC:-cc} $flags -std=gnu11 -D_GNU_SOURCE -I. -fsyntax-only -Wall -Werror -Wno-deprecated-declarations -x c - || {
		echo "vendor: $2 differs from <$1>"
		failed=1
	}
}
compare openssl/ssl.h hooks/openssl.h
compare gnutls/gnutls.h hooks/gnutls.h
compare curl/curl.h hooks/curl.h
compare sqlite3.h hooks/sqlite.h
compare sqlext.h hooks/odbc.h
compare postgresql/libpq-fe.h hooks/libpq.h
compare mariadb/mysql.h hooks/mysql.h
compare hiredis/async.h hooks/hiredis.h
compare uv.h hooks/libuv.h
compare event2/http.h hooks/libevent.h
compare event2/event.h hooks/libevent.h
compare glib.h hooks/glib.h
compare apr_thread_pool.h hooks/apr.h
compare liburing.h hooks/liburing.h
exit $failed
