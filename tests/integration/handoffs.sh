#!/bin/bash
# What hands work from thread to thread does for its program what it does without us: the same functions with the same arguments, in
# the same order; the kernel's own answers. (Whose work it is, tests/causality/ tells.)
. "$(dirname "$0")/lib.sh"
need gcc pkg-config

same() { # NAME [PACKAGE]
	[ $# = 1 ] || pkg-config --exists "$2" || skip "$2 is not installed"
	# shellcheck disable=SC2046
	gcc -D_GNU_SOURCE -O1 -Wall -Wno-deprecated-declarations -o "$work/$1" "$top/tests/integration/snippets/$1.c" \
		$([ $# = 1 ] || pkg-config --cflags --libs "$2") -lpthread || exit 1
	timeout 60 "$work/$1" >"$work/$1.bare" || bad "$1 fails bare"
	traced "$1" timeout 60 "$work/$1" >"$work/$1.traced" || bad "$1 fails traced"
	diff "$work/$1.bare" "$work/$1.traced" || bad "$1 does something else"
	TAGALONG_DISABLED=true traced "$1" timeout 60 "$work/$1" | diff "$work/$1.bare" - || bad "$1 does something else, disabled"
}
same queues
same uv_work libuv
same glib_pool glib-2.0
finish
