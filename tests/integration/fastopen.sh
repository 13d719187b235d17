#!/usr/bin/env bash
# TCP Fast Open: a write that is the connect() too (sendto and sendmsg with MSG_FASTOPEN), bare and traced: the same answers and
# errors, a span with its peer, the header in what is sent. In a network of its own, where the kernel may send data with the SYN.
. "$(dirname "$0")/lib.sh"
need jq /usr/bin/python3 wget2 curl
if [ -z "${FASTOPEN_NET:-}" ] && unshare -n true 2>/dev/null; then
	FASTOPEN_NET=own exec unshare -n bash "$0"
fi
if [ "${FASTOPEN_NET:-}" = own ]; then
	ip link set lo up || /usr/bin/python3 - <<'PY'
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
PY
	echo 3 >/proc/sys/net/ipv4/tcp_fastopen || echo "left out: data in the SYN (the setting may not be changed)"
else
	echo "left out: data in the SYN (no network of its own may be made here)"
fi
port=$(free_port)
cat >"$work/server.py" <<'PY'
import socket, sys
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(16)
while True:
    c, _ = s.accept()
    data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(65536)
        if not more:
            break
        data += more
    if data:
        with open(sys.argv[2], "ab") as log:
            log.write(data)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    c.close()
PY
cat >"$work/client.py" <<'PY'
import errno, select, socket, sys
port, how, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.socket()
s.setblocking("nonblocking" not in how)
request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
to = ("127.0.0.1", port)
try:
    sent = s.sendmsg([request[:9], request[9:]], [], socket.MSG_FASTOPEN, to) if "sendmsg" in how else s.sendto(request, socket.MSG_FASTOPEN, to)
except OSError as e:
    print(errno.errorcode[e.errno])
    sent = 0
    if e.errno == errno.EOPNOTSUPP:
        s.connect(to)
    elif e.errno != errno.EINPROGRESS:
        sys.exit(3)
    select.select([], [s], [])
try:
    if sent < len(request):
        print("then", s.send(request[sent:]) == len(request) - sent)
    s.setblocking(True)
    try:
        s.sendto(b"", socket.MSG_FASTOPEN, to)
    except OSError as e:
        print("again", errno.errorcode[e.errno])
    data = b""
    while more := s.recv(65536):
        data += more
    print(data)
except OSError as e:
    print(errno.errorcode[e.errno])
    sys.exit(4)
PY
background /usr/bin/python3 "$work/server.py" "$port" "$work/heads"
wait_port "$port" || exit 1
nobody=$(free_port)
/usr/bin/python3 "$work/client.py" "$port" sendto /cookie >/dev/null # from here on the kernel has the server's cookie

both() { # status port how path
	local status=$1
	shift
	/usr/bin/python3 "$work/client.py" "$@" >"$work/bare" 2>&1
	expect "$2 $3, bare: status" "$status" $?
	: >"$spans" && : >"$work/heads"
	traced client /usr/bin/python3 "$work/client.py" "$@" >"$work/with" 2>&1
	expect "$2 $3: status" "$status" $?
	expect "$2 $3: output" "" "$(diff "$work/bare" "$work/with")"
}
one_call() { # name port
	expect "$1: one call, its peer" "3 GET 127.0.0.1 $2" \
		"$(flat "$spans" | jq -r '"\(.kind) \(.name) \(.a["network.peer.address"]) \(.a["network.peer.port"])"')"
	expect "$1: the header that names it" "$(flat "$spans" | jq -r '"00-\(.trace)-\(.span)-03"')" \
		"$(sed -nE 's/^traceparent: ([^\r]*)\r?$/\1/ip' "$work/heads")"
}
for how in sendto sendmsg sendto-nonblocking sendmsg-nonblocking; do
	both 0 "$port" "$how" "/$how"
	one_call "$how" "$port"
done
both 3 "$nobody" sendto /refused
expect "refused: one failed connect" "connect connection_refused" "$(flat "$spans" | jq -r '"\(.name) \(.a["error.type"])"')"
both 4 "$nobody" sendto-nonblocking /refused

# --- programs that do so: wget2 always, curl when asked to
for program in "wget2 -q -O -" "curl -s --tcp-fastopen"; do
	: >"$spans" && : >"$work/heads"
	expect "$program: output" hello "$(traced client $program "http://127.0.0.1:$port/")"
	one_call "$program" "$port"
done

# An address of which the kernel has no cookie: the refusal comes with the second write.
: >"$spans"
traced client wget2 -q --tries=1 --no-check-certificate -O - "https://127.0.0.2:$nobody/" >/dev/null 2>&1
expect "refused below a handshake: one failed connect" "connect connection_refused $nobody" \
	"$(flat "$spans" | jq -r '"\(.name) \(.a["error.type"]) \(.a["network.peer.port"])"')"

if [ "${FASTOPEN_NET:-}" = own ] && echo 0 >/proc/sys/net/ipv4/tcp_fastopen; then
	both 0 "$port" sendto /forbidden
	expect "where it is forbidden the host connects" ENOTSUP "$(head -n 1 "$work/with")"
	one_call "forbidden" "$port"
fi
grep -c . /proc/self/net/netstat >/dev/null && awk '/^TcpExt:/ { if (!n) { n = split($0, names); next } split($0, values); for (i = 1; i <= n; i++) if (names[i] == "TCPFastOpenActive") print "connections that carried data in their SYN: " values[i] }' /proc/self/net/netstat
finish
