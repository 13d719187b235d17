#!/usr/bin/env bash
# What the README tells a user to type: each command of its blocks, from an installed tree, and the demo that is left running.
. "$(dirname "$0")/lib.sh"
need make nginx jq curl openssl
dest=$work/dest prefix=$work/dest/opt/tagalong
clean_make() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s --no-print-directory -C "$top" BUILD="$build" "$@"; }

# A command that is written there and is not one of these needs a line here. (make demo: demo_tree.sh; make test is what runs this.)
commands=$(sed -n '/^```$/,/^```$/p' "$top/README.md" | grep -E '^(make|tagalong|LD_PRELOAD)' | sed 's/ *#.*//')
expect "the README's commands" 'make demo
make test
make deps-build
make install PREFIX=/usr/local
LD_PRELOAD=/usr/local/lib/libtagalong.so OTEL_SERVICE_NAME=billing ./billing
tagalong run --service billing -- ./billing --port 80
tagalong run --file spans.jsonl -- curl -s http://localhost/ ; tagalong view spans.jsonl
tagalong check ./billing' "$commands"
for target in $(grep -oE '`make [a-z-]+' "$top/README.md" "$top/.github/CONTRIBUTING.md" | sed 's/.*make //' | sort -u); do
	clean_make -n "$target" >/dev/null 2>&1 || bad "make $target is written of, but cannot be made"
done

# make install: where it is told, and nowhere else; what is there works from there.
clean_make install DESTDIR="$dest" PREFIX=/opt/tagalong >/dev/null || bad "make install"
expect "installed" "bin/tagalong 755 lib/libtagalong.so 755 share/man/man1/tagalong.1 644" \
	"$(cd "$prefix" && find . -type f -printf '%P %m\n' | sort | xargs)"
expect "installed, all of it below DESTDIR" 3 "$(find "$dest" -type f | wc -l)"
cmp -s "$build/libtagalong.so" "$prefix/lib/libtagalong.so" || bad "another library was installed"
cd "$work" || exit 1
PATH=$prefix/bin:$PATH
port=$(free_port)
cp "$build/demo/stock" billing
background env LD_PRELOAD="$prefix/lib/libtagalong.so" OTEL_SERVICE_NAME=billing OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" \
	OTEL_BSP_SCHEDULE_DELAY=50 ./billing "$port"
wait_port "$port" || exit 1
curl -s -o /dev/null "http://localhost:$port/item/1"
wait_spans 1
expect "LD_PRELOAD and a name" "billing GET" "$(flat "$spans" | jq -r '"\(.service) \(.name)"')"
stop_last
: >"$spans"
port=$(free_port)
background env OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE="$spans" tagalong run --service billing -- ./billing "$port"
wait_port "$port" || exit 1
curl -s -o /dev/null "http://localhost:$port/item/1"
wait_spans 1
expect "tagalong run, with its own library" "billing GET" "$(flat "$spans" | jq -r '"\(.service) \(.name)"')"
tagalong run --file spans2.jsonl -- curl -s -o /dev/null "http://localhost:$port/item/2" 2>said
expect "tagalong run: how many went where" "tagalong: 1 span from 1 process to spans2.jsonl (0 dropped)" "$(sed "s|$work/||" said)"
tagalong view spans2.jsonl | grep -q "GET http://localhost:$port/item/2 200" || bad "tagalong view: $(tagalong view spans2.jsonl)"
tagalong check ./billing >checked || bad "tagalong check: status $?: $(cat checked)"
stop_last

# make demo KEEP=1: says how to send more, how to see it and how to stop it; each of these does what it says.
cd "$top" || exit 1
if ls /usr/sbin/php-fpm[0-9]* >/dev/null 2>&1; then
	background env KEEP=1 "$top/demo/run.sh"
	for _ in $(seq 600); do grep -q '^To stop' "$work/background.log" && break; sleep 0.05; done
	line() { sed -n "s/.*$1: *//p" "$work/background.log"; }
	expect "the demo, left running: one more" '{"title":"Seven","shop":{"order":7,"customer":"customer 7","stock":{"item":7,"left":49}}}' "$(eval "$(line "More requests") -s" | head -n 1)"
	view=$(line "Their traces")
	for _ in $(seq 400); do [ "$(eval "$view" | grep -c '/7')" -ge 9 ] && break; sleep 0.05; done
	eval "$view" | grep -q 'GET /item/7 200' || bad "the demo, left running: no trace of it"
	kept=$(sed 's/.* //; s|/spans.jsonl||' <<<"$view")
	front=$(line "More requests" | sed 's|.*localhost:\([0-9]*\)/.*|\1|')
	eval "$(line "To stop" | sed 's/.*or //')"
	wait "${pids[-1]}"
	expect "the demo, stopped" "130 gone closed" "$? $([ -e "$kept" ] || echo gone) $( (exec 3<>"/dev/tcp/127.0.0.1/$front") 2>/dev/null || echo closed)"
else
	echo "left out: php-fpm is not installed, which the demo needs"
fi

# make deps: what it would need where it cannot install.
mkdir "$work/bin"
for tool in sh cat tail mktemp rm; do ln -s "$(command -v $tool)" "$work/bin/"; done
printf '#!/bin/sh\nexit 1\n' >"$work/bin/dpkg-query"; chmod +x "$work/bin/dpkg-query"
expect "deps on a system that is not Debian's" "deps: this is no Debian system; needed are the equivalents of: gcc jq
1" \
	"$(PATH=$work/bin "$top/tests/support/deps.sh" gcc jq 2>&1 | xargs; echo "${PIPESTATUS[0]}")"
finish
