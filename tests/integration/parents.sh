#!/usr/bin/env bash
# No call is filed under somebody else's request: event loops with timers, pools whose handlers give back their thread, and
# (so that silence is not the answer to everything) servers where the parent is certain. No traceparent comes in; each
# request has a path of its own, which its backend call carries on.
. "$(dirname "$0")/lib.sh"
need nginx jq /usr/bin/python3
here=$top/tests/integration/snippets

back=$(free_port)
nginx_conf "$work/back" "$back"
sed -i 's|location / { root html; }|location / { return 200 "ok"; }|' "$work/back/nginx.conf"
background nginx -p "$work/back" -c nginx.conf
wait_port "$back" || exit 1

# load PORT CLIENTS REQUESTS
load() { /usr/bin/python3 "$here/parents_load.py" "$@"; }
# verdict: "right stitched orphan" of the CLIENT spans in $spans
verdict() {
	flat "$spans" | jq -rs 'map({key: .span, value: (.a["url.path"] // (.a["url.full"] | sub("^[a-z]+://[^/]*"; "")))}) as $paths
		| ($paths | from_entries) as $path | [.[] | select(.kind == 3)]
		| [(map(select($path[.parent] and $path[.parent] == $path[.span])) | length),
		   (map(select($path[.parent] and $path[.parent] != $path[.span])) | length),
		   (map(select($path[.parent] | not)) | length)] | join(" ")'
}
# judge NAME CLIENTS REQUESTS SURE COMMAND...: COMMAND listens on $port and calls $back; SURE: "all" right, "most" (nine of
# ten), or "some"
judge() {
	local name=$1 clients=$2 requests=$3 sure=$4 right stitched orphan
	shift 4
	: >"$spans"
	start_traced "$name" "$@"
	wait_port "$port" || { bad "$name does not listen"; return; }
	load "$port" "$clients" "$requests" || bad "$name: answers"
	wait_spans $((2 * clients * requests))
	stop_last
	read -r right stitched orphan < <(verdict)
	echo "$name, $clients at once: $right right, $stitched stitched, $orphan orphans"
	expect "$name: none stitched" 0 "$stitched"
	expect "$name: all calls seen" $((clients * requests)) $((right + stitched + orphan))
	case $sure in
	all) expect "$name: all right" $((clients * requests)) "$right" ;;
	most) [ $((right * 10)) -ge $((clients * requests * 9)) ] || bad "$name: most right" ;;
	esac
}

mkdir "$work/front"
limited() {
	cat >"$work/front/nginx.conf" <<-EOF
	daemon off; worker_processes 1; pid nginx.pid; error_log error.log;
	events { worker_connections 512; }
	http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	  limit_req_zone all zone=z:1m rate=$1r/s;
	  server { listen 127.0.0.1:$port; location / { limit_req zone=z burst=1000; proxy_pass http://127.0.0.1:$back; } } }
	EOF
	chmod 777 "$work/front"
}
port=$(free_port)
limited 300
judge nginx-with-timers 16 30 some nginx -p "$work/front" -c nginx.conf
port=$(free_port)
limited 100000
judge nginx 1 100 all nginx -p "$work/front" -c nginx.conf
port=$(free_port)
judge python-threads 8 30 all /usr/bin/python3 "$here/parents_threads.py" "$port" "$back"
port=$(free_port)
judge python-threads-busy 8 10 all /usr/bin/python3 "$here/parents_threads.py" "$port" "$back" busy
if command -v node >/dev/null; then
	port=$(free_port)
	judge node-with-timers 8 30 some node "$here/parents_node.js" "$port" "$back"
	port=$(free_port)
	# A wake-up of its loop by another thread of V8, right behind the request, leaves a call in doubt now and then.
	judge node 1 50 most node "$here/parents_node.js" "$port" "$back" at-once
else
	echo "left out: node is not installed"
fi
if command -v java >/dev/null && command -v javac >/dev/null; then
	port=$(free_port)
	judge java-wandering 8 30 some java "$here/Wandering.java" "$port" "$back"
else
	echo "left out: java is not installed"
fi
finish
