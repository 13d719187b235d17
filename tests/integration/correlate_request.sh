#!/bin/bash
# TAGALONG_CORRELATE=:request: what haproxy, squid and varnish pass on as it is is the call of the request that it was, and what
# they do beside that is nobody's: fragments, fetches behind an answer, targets and methods of their own making.
. "$(dirname "$0")/lib.sh"
need jq curl /usr/bin/python3
export TAGALONG_EXPLAIN=true TAGALONG_CORRELATE=:request

# calls: "method, target, method and target of the span above or -, evidence, ambiguous" of each CLIENT span
calls() {
	flat "$spans" | jq -rs 'def target: .a["http.request.method"] + " " + (if .kind == 2
			then .a["url.path"] + (if .a["url.query"] then "?" + .a["url.query"] else "" end)
			else .a["url.full"] | sub("^[a-z]+://[^/]*"; "") end);
		(map(select(.kind == 2) | {key: .span, value: target}) | from_entries) as $above
		| map(select(.kind == 3) | [target, ($above[.parent] // "-"), .a["tagalong.parent.evidence"],
			(.a["tagalong.parent.ambiguous"] // false)] | join(" ")) | sort | .[]'
}
ask() { curl -sS -o /dev/null --max-time 20 "$@" || bad "asking $*"; }
same() { # TARGET COUNT: so many calls for it that are its request's
	for _ in $(seq "${2:-1}"); do echo "GET $1 GET $1 header false"; done
}
back=$(free_port) port=$(free_port) port2=$(free_port)
background /usr/bin/python3 "$top/tests/integration/snippets/passed_on.py" "$back"
wait_port "$back" || exit 1
url=http://127.0.0.1:$port
at_once() { # TARGET...: each with cookies and what else browsers send
	local asked=()
	for target in "$@"; do
		ask -A "Mozilla/5.0 (X11)" -b "a=1; b=$target" -H "Accept-Language: de" -H "Authorization: Bearer $target" "$url$target" &
		asked+=($!)
	done
	wait "${asked[@]}"
}

if [ -x /usr/sbin/haproxy ]; then
	cat >"$work/haproxy.cfg" <<-END
	global
	  nbthread 1
	defaults
	  mode http
	  timeout connect 5s
	  timeout client 30s
	  timeout server 30s
	frontend in
	  bind 127.0.0.1:$port
	  bind 127.0.0.1:$port2 proto h2
	  http-request set-path /new if { path /old }
	  default_backend out
	backend out
	  http-reuse always
	  retries 3
	  retry-on all-retryable-errors
	  option httpchk GET /check
	  server back 127.0.0.1:$back check inter 200
	END
	start_traced haproxy /usr/sbin/haproxy -db -f "$work/haproxy.cfg"
	wait_port "$port" || exit 1
	at_once "/slow/1?x=%41/../" /slow/2 /slow/3
	ask "$url/drop/1"
	ask -I "$url/slow/head"
	ask "$url/slow/4" -o /dev/null "$url/slow/4" & # on a kept connection, one after the other
	ask "$url/old"
	wait $!
	if curl --version | grep -q HTTP2; then
		ask --http2-prior-knowledge -b "a=1; b=2; c=3" -A agent "http://127.0.0.1:$port2/slow/h2" &
		ask --http2-prior-knowledge -b "a=1; b=2; c=3" -A agent "http://127.0.0.1:$port2/slow/h3"
		wait $!
		h2="$(same /slow/h2; same /slow/h3)
"
	fi
	sleep 0.5
	stop_last
	expect "haproxy" "$(same /drop/1 2)
$(same "/slow/1?x=%41/../")
$(same /slow/2)
$(same /slow/3)
$(same /slow/4 2)
${h2:-}HEAD /slow/head HEAD /slow/head header false" "$(calls | grep -v '/check\|/new')"
	expect "haproxy: its checks" "GET /check -" "$(calls | grep /check | cut -d' ' -f1-3 | sort -u)"
	calls | grep /new | grep -v "^GET /new - \|^GET /new GET /old [^h]" && bad "haproxy: a target of its own"
else
	echo "left out: haproxy is not installed"
fi

if [ -x /usr/sbin/squid ]; then
	: >"$spans"
	mkdir "$work/squid"
	sed -n '/^http_port/,/^END/p' "$top/tests/causality/servers/squid.sh" | sed "/^END/d; s/\$port/$port/; s/\$back/$back/; s|\$dir|$work/squid|" \
		>"$work/squid/squid.conf"
	chmod 777 "$work/squid"
	start_traced squid /usr/sbin/squid -N -f "$work/squid/squid.conf"
	wait_port "$port" || exit 1
	ask -A "Mozilla/5.0 (X11)" -b "a=1; b=2" -e http://x/ "$url/slow/1" &
	ask -A "Mozilla/5.0 (X11)" -b "a=1; b=3" -e http://x/ "$url/slow/1"
	wait $!
	# It keeps the password to itself: then who asks without one is not to be told from who had one.
	ask -u user:password "$url/slow/secret" &
	ask "$url/slow/secret"
	wait $!
	wait_spans 8
	stop_last
	expect "squid" "$(same /slow/1 2)" "$(calls | grep -v secret)"
	calls | grep -q "^GET /slow/secret - none true" || bad "squid, whose password? $(calls)"
else
	echo "left out: squid is not installed"
fi

if [ -x /usr/sbin/varnishd ]; then
	: >"$spans"
	cat >"$work/test.vcl" <<-END
	vcl 4.0;
	backend default { .host = "127.0.0.1"; .port = "$back"; }
	sub vcl_recv {
		if (req.url ~ "^/(slow|esi)/") { return (pass); }
		return (hash);
	}
	sub vcl_backend_response {
		set beresp.do_esi = bereq.url ~ "^/esi/";
		if (bereq.url ~ "^/grace/") { set beresp.ttl = 0.1s; set beresp.grace = 60s; }
	}
	END
	start_traced varnish /usr/sbin/varnishd -F -j none -n "$work/varnish" -a "127.0.0.1:$port" -f "$work/test.vcl" -s malloc,16m \
		-p thread_pool_min=10
	wait_port "$port" || exit 1
	at_once /slow/1 /slow/2 /slow/3 /esi/4 &
	ask "$url/grace/5"
	sleep 0.3
	ask "$url/grace/5" # stale: fetched anew behind its back
	ask "$url/cached" -o /dev/null "$url/cached"
	ask -I "$url/head/6" # fetched by GET
	ask -I "$url/slow/7"
	wait $!
	wait_spans 18
	stop_last
	expect "varnish" "$(same /cached)
$(same /esi/4)
$(same /slow/1)
$(same /slow/2)
$(same /slow/3)
HEAD /slow/7 HEAD /slow/7 header false" "$(calls | grep -v 'frag\|grace\|head/6')"
	expect "varnish: a fragment, and what is asked for in another way" "GET /frag/4 - none
GET /head/6 - none" "$(calls | grep 'frag\|head/6' | cut -d' ' -f1-4)"
	expect "varnish: a fetch, and one behind an answer" "GET /grace/5" "$(calls | grep grace | cut -d' ' -f1-2 | sort -u)"
	calls | grep grace | grep -v 'GET /grace/5 GET /grace/5 header\|GET /grace/5 - none' && bad "a fetch behind an answer is another's"
	calls | grep -q '^GET /grace/5 GET /grace/5 header' || bad "the first fetch is nobody's"
else
	echo "left out: varnish is not installed"
fi
finish
