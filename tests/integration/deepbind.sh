#!/usr/bin/env bash
# Libraries that are opened with RTLD_DEEPBIND, as PHP opens its extensions, are seen like any other, whether their calls are
# bound at once or at the first call; what they define themselves stays theirs; the RUNPATH of who calls dlopen applies.
. "$(dirname "$0")/lib.sh"
need gcc jq nginx
here=$top/tests/integration/snippets/deep
port=$(free_port)
nginx_conf "$work/web" "$port"
background nginx -p "$work/web" -c nginx.conf
wait_port "$port" || exit 1

gcc -O1 -o "$work/main" "$here/main.c" || exit 1
for binding in lazy now; do
	dir=$work/$binding
	mkdir -p "$dir/hidden"
	gcc -O1 -fPIC -shared -Wl,-z,$binding -Wl,-z,relro -o "$dir/libinner.so" "$here/inner.c" &&
		gcc -O1 -fPIC -shared -Wl,-z,$binding -Wl,-rpath,"$dir/hidden" -o "$dir/libmiddle.so" "$here/middle.c" &&
		gcc -O1 -fPIC -shared -o "$dir/hidden/libhidden.so" "$here/middle.c" || exit 1
	expect "$binding, bare" 0 "$("$work/main" "$dir" "$port" 2>&1; echo $?)"
	: >"$spans"
	expect "$binding, traced" 0 "$(traced deep "$work/main" "$dir" "$port" 2>&1; echo $?)"
	wait_spans 3
	expect "$binding: a CLIENT span for each request" "3 3" "$(flat "$spans" |
		jq -rs '"\(length) \(map(select(.kind == 3 and (.a["url.full"] | test("/deep/[123]$")))) | length)"')"
done
finish
