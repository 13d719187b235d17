#!/usr/bin/env bash
# The demo: each request is one trace of nine spans with the right parents, kinds and statuses.
. "$(dirname "$0")/lib.sh"
need nginx jq curl openssl
ls /usr/sbin/php-fpm[0-9]* >/dev/null 2>&1 || skip "php-fpm is not installed"
DEMO_FILE=$spans "$top/demo/run.sh" >"$work/out" 2>&1 || { cat "$work/out"; bad "the demo failed"; finish; }
expect "traces" 3 "$(flat "$spans" | jq -r .trace | sort -u | wc -l)"
expect "spans" 27 "$(count_spans)"
# Walked from the root by parent ids: service, kind, status.
flat "$spans" | jq -s -c 'def below($all; $s): ($all[] | select(.parent == $s.span)) as $c | $c, below($all; $c);
	group_by(.trace) | map(. as $all | (map(select(.parent == "")) | .[0]) as $root
	| [$root, below($all; $root)] | map([.service, .kind, .a["http.response.status_code"], .code])) | sort | .[]' >"$work/walks"
good='[["front",2,"200",0],["front",3,"200",0],["page",2,"200",0],["page",3,"200",0],["shop",2,"200",0],["shop",3,"200",0],["orders",2,"200",0],["orders",3,"200",0],["stock",2,"200",0]]'
failed='[["front",2,"502",2],["front",3,"502",2],["page",2,"502",2],["page",3,"502",2],["shop",2,"502",2],["shop",3,"500",2],["orders",2,"500",2],["orders",3,"503",2],["stock",2,"503",2]]'
expect "the trees" "$good
$good
$failed" "$(cat "$work/walks")"
grep -q '! .*GET /page/13 502' "$work/out" || bad "the failing request is not marked in what make demo prints"
expect "the slow one takes 300 ms in stock" "yes" \
	"$(flat "$spans" | jq -r 'select(.service == "stock" and .a["url.path"] == "/item/99") | if .end - .start > 290000000 then "yes" else "no" end')"
finish
