#!/usr/bin/env bash
# libcurl: calls that a shared loop sends have the parent that handed them over, in the clear and in HTTP/2 inside TLS, with both
# libraries of that name.
. "$(dirname "$0")/lib.sh"
need jq curl openssl nginx gcc /usr/bin/python3
here=$top/tests/integration/snippets
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
chmod 644 "$work"/*.pem
strict=(-D_GNU_SOURCE -O1 -Wall -Wextra -Werror)
flavours=(openssl)
gcc "${strict[@]}" -o "$work/calls-openssl" "$here/curl_calls.c" -lcurl || skip "no libcurl to build with"
gcc "${strict[@]}" -o "$work/shared-openssl" "$here/curl_shared.c" -lcurl -lpthread || skip "no libcurl to build with"
gcc "${strict[@]}" -o "$work/shared-gnutls" "$here/curl_shared.c" -l:libcurl-gnutls.so.4 -lpthread 2>/dev/null &&
	gcc "${strict[@]}" -o "$work/calls-gnutls" "$here/curl_calls.c" -l:libcurl-gnutls.so.4 && flavours+=(gnutls) ||
	echo "left out: libcurl3-gnutls is not installed"

up=$(free_port) up_tls=$(free_port)
nginx_conf "$work/up" "$up"
sed -i "s|listen .*|listen 127.0.0.1:$up; listen 127.0.0.1:$up_tls ssl http2; ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; location / { return 204; } location ~ ^/call/again/(.*) { return 302 /call/\$1; } } }|" "$work/up/nginx.conf"
start_traced up nginx -p "$work/up" -c nginx.conf
wait_port "$up" && wait_port "$up_tls" || exit 1

# --- many requests at a time, one loop for all their calls ----------------------------------------------------------------
# verdict: for each call that arrived: is the request that it was made for its parent's parent?
verdict() {
	flat "$spans" | jq -rs '
		(map({key: .span, value: .}) | from_entries) as $by
		| [.[] | select(.service == "up") | .a["url.path"][5:] as $for
		   | $by[.parent] as $client | if $client == null then "no client" elif ($client.parent == "") then "orphan"
		     elif $by[$client.parent].a["url.path"] == $for and .trace == $by[$client.parent].trace then "exact" else "stitched" end]
		| group_by(.) | map("\(length) \(.[0])") | join(" ")'
}
for flavour in "${flavours[@]}"; do
	for mode in perform socket; do
		for upstream in "http://127.0.0.1:$up" "https://localhost:$up_tls"; do
			: >"$spans"
			port=$(free_port)
			start_traced shared "$work/shared-$flavour" "$mode" "$port" "$upstream" "$work/cert.pem"
			wait_port "$port" || exit 1
			/usr/bin/python3 "$here/parents_load.py" "$port" 16 12 || bad "$flavour $mode $upstream: not all answered"
			wait_spans 576
			expect "$flavour $mode $upstream: whose calls they are" "192 exact" "$(verdict)"
			expect "$flavour $mode $upstream: protocol" "$([ "${upstream%%:*}" = http ] && echo 1.1 || echo 2)" "$(flat "$spans" |
				jq -rs 'map(select(.kind == 3) | .a["network.protocol.version"]) | unique | join(" ")')"
			stop_last
		done
	done
done

# --- clients and calls in one epoll loop: exact while one request is in flight, and never a wrong one ----------------------
: >"$spans"
port=$(free_port)
start_traced shared "$work/shared-openssl" loop "$port" "http://127.0.0.1:$up"
wait_port "$port" || exit 1
/usr/bin/python3 "$here/parents_load.py" "$port" 1 20 || bad "loop: not all answered"
wait_spans 60
expect "one loop, one request at a time" "20 exact" "$(verdict)"
: >"$spans"
/usr/bin/python3 "$here/parents_load.py" "$port" 16 12 || bad "loop: not all answered"
wait_spans 576
verdict >"$work/loop"
grep -q stitched "$work/loop" && bad "one loop, many requests: $(cat "$work/loop")"
echo "one loop, 16 requests at a time: $(cat "$work/loop")"
stop_last

# --- what a program sees of its own calls -----------------------------------------------------------------------------------
echo_port=$(free_port) mail_port=$(free_port)
start_traced echo /usr/bin/python3 "$here/curl_echo.py" "$echo_port" "$mail_port"
wait_port "$echo_port" && wait_port "$mail_port" || exit 1
for flavour in "${flavours[@]}"; do
	: >"$spans"
	"$work/calls-$flavour" "http://127.0.0.1:$echo_port" "smtp://127.0.0.1:$mail_port" >"$work/bare" 2>/dev/null
	wait_spans 20
	: >"$spans"
	traced calls "$work/calls-$flavour" "http://127.0.0.1:$echo_port" "smtp://127.0.0.1:$mail_port" >"$work/with" 2>"$work/ours"
	expect "$flavour: the program ended well" 26 "$(wc -l <"$work/with")"
	cmp -s "$work/bare" "$work/with" || bad "$flavour: the program sees a difference: $(diff "$work/bare" "$work/with")"
	expect "$flavour: exactly one traceparent, and none beside the program's own" "18 1 ours its own: 0 ours refused: 0 ours the mail: 0" \
		"$(wc -l <"$work/ours") $(grep -c ': 1$' "$work/ours" | sed 's/15/1/') $(grep ': [^1]$' "$work/ours" | xargs)"
	wait_spans 39
	expect "$flavour: each attempt is one span, the parent of what it asked for" "20 19 1 1 2" "$(flat "$spans" | jq -rs '
		(map({key: .span, value: .}) | from_entries) as $by
		| "\(map(select(.kind == 2)) | length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and $by[.parent].trace == .trace)) | length) "
		+ (map(select(.kind == 3 and .a["http.request.resend_count"]) | .a["http.request.resend_count"]) | sort | join(" "))')"
done

# --- how calls end, and what happened on their way -------------------------------------------------------------------------
# A resolver of the test's own: *.test is this machine (curl knows what localhost is without asking).
cat >"$work/resolver.c" <<-'C'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <netdb.h>
	#include <string.h>
	int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
	{
		int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
		size_t len = node ? strlen(node) : 0;
		return next(len > 5 && !strcmp(node + len - 5, ".test") ? "127.0.0.1" : node, service, hints, found);
	}
C
gcc -shared -fPIC -o "$work/resolver.so" "$work/resolver.c" -ldl || exit 1
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=up.test -keyout "$work/test.key" -out "$work/test.pem" \
	-addext "subjectAltName=DNS:up.test" 2>/dev/null
chmod 644 "$work"/test.*
named=$(free_port)
nginx_conf "$work/named" "$named"
sed -i "s|listen .*|listen 127.0.0.1:$named ssl http2; ssl_certificate $work/test.pem; ssl_certificate_key $work/test.key; location / { return 204; } } }|" "$work/named/nginx.conf"
background nginx -p "$work/named" -c nginx.conf
wait_port "$named" || exit 1
/usr/bin/python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9); print(s.getsockname()[1], flush=True); time.sleep(600)' >"$work/silent" &
pids+=($!)
until [ -s "$work/silent" ]; do sleep 0.05; done
base=http://127.0.0.1:$echo_port
: >"$spans"
ask() { # NAME STATUS curl's options...
	traced "$1" env LD_PRELOAD="$lib $work/resolver.so" curl -s -o /dev/null --noproxy '*' "${@:3}"
	expect "$1: curl's own status" "$2" $?
}
ask fresh 0 --cacert "$work/test.pem" "https://up.test:$named/"
ask kept 0 "$base/plain" -o /dev/null "$base/plain"
ask unknown 6 "http://nobody.invalid/"
ask refused 7 "http://here.test:1/x?sig=secret"
ask late 28 -m 1 "$base/slow"
ask silent 28 -m 1 "https://here.test:$(cat "$work/silent")/"
ask retried 0 "$base/plain" -o /dev/null "$base/vanish"
ask nothing 52 "$base/vanish"
ask astray 7 -L "$base/again//127.0.0.1:1/x"
ask too_many 47 -L --max-redirs 1 "$base/again/again/x"
ask found 22 -f "$base/status/404"
ask other 60 --cacert "$work/cert.pem" "https://up.test:$named/"
ask tongue 35 "https://127.0.0.1:$echo_port/"
ask h2 0 -L --cacert "$work/cert.pem" "https://localhost:$up_tls/call/again/x"
ask mail 7 "smtp://127.0.0.1:1/"
# Each: method, path, http.request.resend_count, status, error.type, events.
told() {
	jq -rc '.resourceSpans[] | (.resource.attributes | map(select(.key == "service.name")) | .[0].value.stringValue) as $service
		| .scopeSpans[].spans[] | select(.kind == 3)
		| (.attributes | map({key, value: (.value | (.stringValue // .intValue))}) | from_entries) as $a
		| "\(.startTimeUnixNano) \($service) \(.name) \($a["url.full"] // "" | sub("^[a-z]*://[^/]*"; "")) \($a["http.request.resend_count"] // "-") \($a["http.response.status_code"] // "-") \($a["error.type"] // "-") \([.events[]?.name] | join(","))"' "$spans" |
		LC_ALL=C sort -s -k2,2 -k1,1 | cut -d' ' -f2-
}
cat >"$work/expected" <<-'TOLD'
	astray GET /again//127.0.0.1:1/x - 302 - connect.end,response.first_byte
	astray GET /x 1 - CURLE_COULDNT_CONNECT 
	found GET /status/404 - 404 404 connect.end,response.first_byte
	fresh GET / - 204 - dns.lookup.end,connect.end,tls.handshake.end,response.first_byte
	h2 GET /call/again/x - 302 - connect.end,tls.handshake.end,response.first_byte
	h2 GET /call/x 1 204 - response.first_byte
	kept GET /plain - 200 - connect.end,response.first_byte
	kept GET /plain - 200 - response.first_byte
	late GET /slow - - CURLE_OPERATION_TIMEDOUT connect.end
	mail connect  - - CURLE_COULDNT_CONNECT 
	nothing GET /vanish - - CURLE_GOT_NOTHING connect.end
	other GET / - - CURLE_PEER_FAILED_VERIFICATION dns.lookup.end
	refused GET /x?sig=REDACTED - - CURLE_COULDNT_CONNECT dns.lookup.end
	retried GET /plain - 200 - connect.end,response.first_byte
	retried GET /vanish - - response_truncated 
	retried GET /vanish 1 200 - connect.end,response.first_byte
	silent GET / - - CURLE_OPERATION_TIMEDOUT dns.lookup.end
	tongue GET / - - CURLE_SSL_CONNECT_ERROR 
	too_many GET /again/again/x - 302 - connect.end,response.first_byte
	too_many GET /again/x 1 302 CURLE_TOO_MANY_REDIRECTS response.first_byte
	unknown GET / - - CURLE_COULDNT_RESOLVE_HOST 
TOLD
sleep 0.3
# Which of these times curl knows when it fails in the middle differs from version to version.
told | sed -E '/^(other|silent|tongue) /s/,?connect.end//' >"$work/told"
cmp -s "$work/expected" "$work/told" || bad "how calls end: $(diff "$work/expected" "$work/told")"
expect "h2: each attempt is the parent of what it asked for" "2" "$(flat "$spans" | jq -rs '(map(select(.service == "h2") | {key: .span, value: .}) | from_entries) as $by
	| [.[] | select(.service == "up" and $by[.parent].a["url.full"] != null and .a["url.path"] == ($by[.parent].a["url.full"] | sub("^[a-z]*://[^/]*"; "")))] | length')"
expect "events in order, and none before the program began" "" "$(jq -rc '.resourceSpans[].scopeSpans[].spans[]
	| ([.events[]?.timeUnixNano | tonumber]) as $t | select($t != ($t | sort)) | .name' "$spans")"

# --- a program that never asks what became of its calls, and ends in the middle of things ---------------------------------
cat >"$work/leaves.c" <<-'C'
	#include <curl/curl.h>
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	int main(int argc, char **argv)
	{
		CURLM *multi = curl_multi_init();
		CURL *easy = curl_easy_init();
		int running = 1;
		curl_easy_setopt(easy, CURLOPT_URL, argv[2]);
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		curl_multi_add_handle(multi, easy);
		while (running && argc == 3) {
			curl_multi_perform(multi, &running);
			curl_multi_poll(multi, NULL, 0, 100, NULL);
		}
		if (!strcmp(argv[1], "cleanup"))
			curl_easy_cleanup(easy);
		if (!strcmp(argv[1], "reset"))
			curl_easy_reset(easy);
		if (!strcmp(argv[1], "exec"))
			execl("/bin/true", "true", NULL);
		if (!strcmp(argv[1], "_exit"))
			_exit(0);
		return 0;
	}
C
gcc "${strict[@]}" -o "$work/leaves" "$work/leaves.c" -lcurl || exit 1
for how in cleanup reset return _exit exec; do
	: >"$spans"
	traced "$how" "$work/leaves" "$how" "http://127.0.0.1:$up/call/x"
	sleep 0.1
	expect "leaves by $how" "1 204" "$(flat "$spans" | jq -rs 'map(select(.kind == 3)) | "\(length) \(.[0].a["http.response.status_code"])"')"
done

# --- two libraries of one name in a process, and those that come by dlopen -------------------------------------------------
cat >"$work/which.c" <<-'C'
	#include <curl/curl.h>
	#include <dlfcn.h>
	#include <stdio.h>
	int which(const char *url, const char *certificate);
	static size_t look(char *text, size_t size, size_t count, void *user)
	{
		struct curl_tlssessioninfo *info = NULL;
		void **of = user;
		(void)text;
		curl_easy_getinfo(of[0], CURLINFO_TLS_SSL_PTR, &info);
		*(int *)of[1] = info ? (int)info->backend : -1;
		return size * count;
	}
	int which(const char *url, const char *certificate)
	{
		CURL *easy = curl_easy_init();
		int backend = 0;
		void *of[] = {easy, &backend};
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_CAINFO, certificate);
		curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, look);
		curl_easy_setopt(easy, CURLOPT_HEADERDATA, of);
		int code = curl_easy_perform(easy);
		curl_easy_cleanup(easy);
		return code ? -code : backend;
	}
	#ifdef PROGRAM
	/* which PLUGIN... -- URL CERTIFICATE: which TLS library is underneath, in the program and in each plug-in, over and over. */
	int main(int argc, char **argv)
	{
		const char *url = argv[argc - 2], *certificate = argv[argc - 1];
		for (int round = 0; round < 2; round++) {
			printf("%d", which(url, certificate));
			for (int i = 1; i < argc - 2; i++) {
				void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
				int (*there)(const char *, const char *) = plugin ? dlsym(plugin, "which") : NULL;
				printf(" %d", there ? there(url, certificate) : -1000);
				if (plugin)
					dlclose(plugin);
			}
			printf(" %d\n", which(url, certificate));
		}
		return 0;
	}
	#endif
C
gcc "${strict[@]}" -DPROGRAM -o "$work/which" "$work/which.c" -lcurl -ldl || exit 1
gcc "${strict[@]}" -shared -fPIC -Wl,-Bsymbolic -o "$work/plugin-openssl.so" "$work/which.c" -lcurl || exit 1
plugins=("$work/plugin-openssl.so") answers=1
if [ -e "$work/calls-gnutls" ]; then
	gcc "${strict[@]}" -shared -fPIC -Wl,-Bsymbolic -o "$work/plugin-gnutls.so" "$work/which.c" -l:libcurl-gnutls.so.4 || exit 1
	plugins+=("$work/plugin-gnutls.so") answers="1 2"
fi
printf '1 %s 1\n1 %s 1\n' "$answers" "$answers" >"$work/expected"
: >"$spans"
"$work/which" "${plugins[@]}" "https://localhost:$up_tls/call/x" "$work/cert.pem" >"$work/bare"
cmp -s "$work/expected" "$work/bare" || bad "which library, bare: $(paste -sd'|' "$work/bare")"
sleep 0.2
: >"$spans"
traced which "$work/which" "${plugins[@]}" "https://localhost:$up_tls/call/x" "$work/cert.pem" >"$work/with"
cmp -s "$work/expected" "$work/with" || bad "which library, traced: $(paste -sd'|' "$work/with")"
calls=$((2 * (2 + ${#plugins[@]})))
wait_spans $((2 * calls))
expect "each is seen" "$calls $calls" "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
	| "\(map(select(.kind == 3)) | length) \(map(select(.kind == 2 and $by[.parent].kind == 3)) | length)"')"

# Their marks are there: an event and a count that only a marked call has.
marked() {
	jq -rc '.resourceSpans[].scopeSpans[].spans[] | select(.kind == 3) | [.events[]?.name]
		+ [.attributes[] | select(.key == "http.request.resend_count" or .key == "error.type") | .value | (.intValue // .stringValue)] | join(",")' "$spans" | paste -sd' '
}
for how in "php php -r \$e=curl_init(\$argv[1]);curl_setopt(\$e,CURLOPT_FOLLOWLOCATION,true);curl_setopt(\$e,CURLOPT_RETURNTRANSFER,true);curl_setopt(\$e,CURLOPT_HTTPHEADER,['X-A:1']);curl_exec(\$e);curl_setopt(\$e,CURLOPT_URL,'http://127.0.0.1:1/');curl_exec(\$e);" \
	"pycurl /usr/bin/python3 -c import pycurl,sys
e=pycurl.Curl();e.setopt(e.FOLLOWLOCATION,1);e.setopt(e.URL,sys.argv[1]);e.setopt(e.HTTPHEADER,['X-A:1']);e.perform();e.setopt(e.URL,'http://127.0.0.1:1/')
try:e.perform()
except:pass"; do
	case $how in
	php*) command -v php >/dev/null && php -m | grep -qx curl || { echo "left out: php's curl is not installed"; continue; } ;;
	*) /usr/bin/python3 -c 'import pycurl' 2>/dev/null || { echo "left out: python3-pycurl is not installed"; continue; } ;;
	esac
	name=${how%% *} program=${how#* }
	flag=$([ "$name" = php ] && echo -r || echo -c)
	: >"$spans"
	traced "$name" ${program%% "$flag"*} "$flag" "${program#* "$flag" }" "$base/again/plain" >/dev/null 2>&1
	sleep 0.2
	expect "$name: one span for each attempt" "connect.end,response.first_byte response.first_byte,1 CURLE_COULDNT_CONNECT" \
		"$(marked | sed 's/connect.end,CURLE/CURLE/')"
done
# --- a libcurl whose TLS nobody follows: no header that no span of ours would stand behind; in the clear as any client ----------
cat >"$work/nss.c" <<-END
	#include <curl/curl.h>
	int main(int argc, char **argv) {
		CURL *easy = curl_easy_init();
		curl_easy_setopt(easy, CURLOPT_URL, argv[argc - 1]);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		CURLcode code = curl_easy_perform(easy);
		curl_easy_cleanup(easy);
		return (int)code;
	}
END
if gcc "${strict[@]}" -o "$work/nss" "$work/nss.c" -l:libcurl-nss.so.4 2>/dev/null; then
	plain=$(free_port) sealed=$(free_port)
	background /usr/bin/python3 "$here/matrix/server.py" "$plain"
	cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
	background /usr/bin/python3 "$here/matrix/server.py" "$sealed" "$work/both.pem"
	wait_port "$plain" && wait_port "$sealed"
	: >"$spans"
	traced nss "$work/nss" "http://127.0.0.1:$plain/nss/plain" >/dev/null || bad "in the clear: exit status $?"
	traced nss "$work/nss" "https://127.0.0.1:$sealed/nss/sealed" >/dev/null || bad "inside NSS: exit status $?"
	expect "libcurl with NSS" "/nss/plain 00-; /nss/sealed -" "$(sed -nE 's!^(/nss/[a-z]* (00-|-)).*!\1!p' "$work/background.log" | paste -sd';' | sed 's/;/; /')"
	expect "libcurl with NSS: spans" "$(sed -n 's|^/nss/plain 00-[0-9a-f]*-\([0-9a-f]*\)-.*|\1|p' "$work/background.log")" "$(flat "$spans" | jq -r 'select(.kind == 3) | .span')"
else
	echo "left out: libcurl3-nss is not installed"
fi
finish
