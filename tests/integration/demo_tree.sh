#!/usr/bin/env bash
# The demo: each request is one trace of nine HTTP spans with the right parents, kinds and statuses, and of the statements that
# three of the services sent to their databases.
. "$(dirname "$0")/lib.sh"
need nginx jq curl openssl mariadb-install-db redis-server
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || skip "postgresql is not installed"
ls /usr/sbin/php-fpm[0-9]* >/dev/null 2>&1 || skip "php-fpm is not installed"
DEMO_FILE=$spans "$top/demo/run.sh" >"$work/out" 2>&1 || { cat "$work/out"; bad "the demo failed"; finish; }
expect "traces" 4 "$(flat "$spans" | jq -r .trace | sort -u | wc -l)"
expect "spans" 65 "$(count_spans)"
# Walked from the root by parent ids: service, kind, status.
flat "$spans" | jq -s -c 'def below($all; $s): ($all[] | select(.parent == $s.span)) as $c | $c, below($all; $c);
	group_by(.trace) | map(. as $all | (map(select(.parent == "")) | .[0]) as $root
	| [$root, below($all; $root)] | map(select(.a["http.request.method"]) | [.service, .kind, .a["http.response.status_code"], .code])) | sort | .[]' >"$work/walks"
good='[["front",2,"200",0],["front",3,"200",0],["page",2,"200",0],["page",3,"200",0],["shop",2,"200",0],["shop",3,"200",0],["orders",2,"200",0],["orders",3,"200",0],["stock",2,"200",0]]'
failed='[["front",2,"502",2],["front",3,"502",2],["page",2,"502",2],["page",3,"502",2],["shop",2,"502",2],["shop",3,"500",2],["orders",2,"500",2],["orders",3,"503",2],["stock",2,"503",2]]'
expect "the trees" "$good
$good
$good
$failed" "$(cat "$work/walks")"
grep -q '! .*GET /page/13 502' "$work/out" || bad "the failing request is not marked in what make demo prints"
expect "the slow one takes 300 ms in stock" "yes" \
	"$(flat "$spans" | jq -r 'select(.service == "stock" and .a["url.path"] == "/item/99") | if .end - .start > 290000000 then "yes" else "no" end')"
# Whose a statement is: the service's SERVER span of that request.
expect "statements below their requests" 'orders,SELECT order_lines,GET /order/13 1
orders,SELECT order_lines,GET /order/42 1
orders,SELECT order_lines,GET /order/7 1
orders,SELECT order_lines,GET /order/99 1
orders,SELECT orders,GET /order/13 1
orders,SELECT orders,GET /order/42 1
orders,SELECT orders,GET /order/7 1
orders,SELECT orders,GET /order/99 1
orders,SELECT products,GET /order/42 1
orders,SELECT products,GET /order/7 12
page,SELECT pages,GET /page/13 1
page,SELECT pages,GET /page/42 1
page,SELECT pages,GET /page/7 1
page,SELECT pages,GET /page/99 1
shop,INCRBY,GET /shop/13 1
shop,INCRBY,GET /shop/42 1
shop,INCRBY,GET /shop/7 1
shop,INCRBY,GET /shop/99 1' "$(flat "$spans" | jq -s -r '(map({(.span): .}) | add) as $by | .[] | select(.a["db.system.name"]) | . as $call
	| $by[.parent] | select(.kind == 2 and .service == $call.service) | "\($call.service),\($call.name),\(.name) \(.a["url.path"])"' |
	sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)/\2 \1/' | LC_ALL=C sort)"
expect "the one that asks a lot" '/order/7 ["SELECT products x 12"]' "$(flat "$spans" |
	jq -r 'select(.a["tagalong.repeated_queries"]) | "\(.a["url.path"]) \(.a["tagalong.repeated_queries"].values | map(.stringValue))"')"
grep -q 'repeated: SELECT products x 12' "$work/out" || bad "make demo's output does not tell of the repeated query"
finish
