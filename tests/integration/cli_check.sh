#!/bin/bash
# `tagalong check` on programs that are made here, one for each thing it knows.
set -u
BUILD=$(realpath "${BUILD:-build}")
tagalong=$BUILD/tagalong
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
CC=${CC:-gcc}
failures=0

fail() {
	printf 'FAILED %s\n' "$1"
	sed 's/^/  | /' out err
	failures=$((failures + 1))
}
check() { # expected status, expected part (may be empty), program...
	local expected=$1 part=$2
	shift 2
	"$tagalong" check "$@" > out 2> err
	local found=$?
	[ $found = "$expected" ] || fail "check $*: exit status $found, expected $expected"
	[ -z "$part" ] || grep -qF -- "$part" out err || fail "check $*: no \"$part\""
}
absent() { grep -qF -- "$1" out && fail "\"$1\" is said of a program of which it is not true"; }

# A library with known names stands in for the real one.
echo 'long read(void){return 0;} long send(void){return 0;} long write(void){return 0;}' > lib.c
$CC -shared -fPIC -fno-builtin -o libtagalong.so lib.c && export TAGALONG_LIBRARY=$dir/libtagalong.so

echo 'int main(void){return 0;}' > main.c
$CC -o plain main.c
check 0 "plain: can be traced" ./plain
check 0 "libc: known protocols over its sockets are seen, and over those of its libraries" ./plain
for word in "TLS linked in" "Bsymbolic" "defines" "damaged"; do absent "$word"; done
check 0 "can be traced" /bin/true
cp plain haproxy
check 0 "say so by TAGALONG_CORRELATE=:request" ./haproxy
TAGALONG_CORRELATE=x-request-id check 0 "" ./haproxy
grep -q CORRELATE out && fail "check ./haproxy: told although it is said"
check 0 "can be traced" true

printf '#include <unistd.h>\nint main(void){char c; return (int)read(0,&c,1)+(int)write(1,&c,1);}' > io.c
$CC -O1 -o io io.c
check 0 "2 functions that it calls are followed" ./io

if $CC -static -o static main.c 2> /dev/null; then
	check 1 "statically linked: no loader" ./static
fi
if $CC -static-pie -o static-pie main.c 2> /dev/null; then
	check 1 "static-pie" ./static-pie
fi
$CC -shared -fPIC -o lib.so main.c
check 1 "a shared library" ./lib.so
$CC -c -o main.o main.c
check 1 "no program" ./main.o

# A header for another machine is enough.
cp plain small && printf '\x01' | dd of=small bs=1 seek=4 conv=notrunc 2> /dev/null
check 1 "32-bit" ./small
cp plain alien && printf '\x16\x00' | dd of=alien bs=1 seek=18 conv=notrunc 2> /dev/null
check 1 "s390x" ./alien

$CC -o musl main.c -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
check 1 "built for musl" ./musl
$CC -o symbolic main.c -Wl,-z,now -shared -fPIC -Wl,-Bsymbolic -Wl,-e,main -Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2 2> /dev/null &&
	check 1 "" ./symbolic
$CC -pie -fPIE -o bsymbolic main.c -Wl,-Bsymbolic && readelf -d bsymbolic | grep -q SYMBOLIC && check 0 "linked -Bsymbolic" ./bsymbolic

printf 'int SSL_write(void){return 1;}\nint main(void){return SSL_write();}' > tls.c
$CC -O0 -o tls tls.c
check 0 "TLS linked in (it defines SSL_write)" ./tls
strip tls
check 0 "" ./tls
absent "TLS linked in"

absent "SQLite"
printf 'int sqlite3_step(void){return 1;}\nint main(void){return sqlite3_step();}' > sqlite.c
$CC -O0 -o sqlite sqlite.c
check 0 "SQLite linked in (it defines sqlite3_step): its statements are not seen" ./sqlite
printf 'int sqlite3_step(void){return 1;}' > step.c
$CC -shared -fPIC -Wl,-soname,libsqlite3.so.0 -o libsqlite3.so.0 step.c
printf 'int sqlite3_step(void);\nint main(void){return sqlite3_step();}' > sqlite.c
$CC -o sqlite sqlite.c ./libsqlite3.so.0
check 0 "libsqlite3.so.0: SQLite: its statements are seen" ./sqlite
absent "SQLite linked in"
printf 'const char *mark = "ring: rustls::client";\nint main(void){return !mark[0];}' > rust.c
$CC -o rust rust.c
check 0 "it contains texts of rustls" ./rust

printf 'long write(int a,const void*b,unsigned long c){(void)a;(void)b;return (long)c;}\nint main(void){return write(1,"",0);}' > own.c
$CC -fno-builtin -rdynamic -o own own.c
check 0 "defines write itself" ./own

if [ "$(uname -m)" = x86_64 ]; then
	printf 'int main(void){__asm__ volatile("syscall"::"a"(39):"rcx","r11","memory");return 0;}' > raw.c
	$CC -o raw raw.c
	check 0 "may make raw system calls, which are not seen: 1 place" ./raw
fi

# A library that is not there is still named in the file.
echo 'int SSL_new(void){return 0;}' > ssl.c
$CC -shared -fPIC -o libssl.so.3 -Wl,-soname,libssl.so.3 ssl.c
$CC -o needs main.c -Wl,--no-as-needed ./libssl.so.3
check 0 "+ libssl.so.3: TLS: what is inside it is seen (OpenSSL)" ./needs

# Databases' clients: what the README's table of what is seen has.
while read -r name words; do
	$CC -shared -fPIC -o "$name" -Wl,-soname,"$name" ssl.c
	$CC -o needs main.c -Wl,--no-as-needed "./$name"
	check 0 "+ $name: $words" ./needs
done <<'END'
libpq.so.5 PostgreSQL: its statements are seen
libmysqlclient.so.21 MySQL: its statements are seen
libmariadb.so.3 MariaDB, MySQL: its statements are seen
libhiredis.so.0.14 Redis: its commands are seen
libmemcached.so.11 memcached: its commands are seen
END

# Sockets used through io_uring are, not always.
printf '#include <liburing.h>\nint main(void) { struct io_uring ring; return io_uring_queue_init(8, &ring, 0) > 0; }\n' > uring.c
if $CC -o uring uring.c -luring 2> /dev/null; then
	check 0 "? liburing.so.2: io_uring: sockets used through it are seen as far as README.md says; no header goes out that way" ./uring
else
	echo "left out: liburing-dev is not installed"
fi

# TLS that cannot be seen is said to be so.
while read -r name words; do
	$CC -shared -fPIC -o "$name" -Wl,-soname,"$name" ssl.c
	$CC -o needs main.c -Wl,--no-as-needed "./$name"
	check 0 "- $name: $words" ./needs
done <<'END'
libmbedtls.so.14 TLS: what it sends is seen as opaque bytes; mbed TLS is not followed yet
libwolfssl.so.35 TLS: what it sends is seen as opaque bytes; wolfSSL is not followed yet
libssl3.so TLS: what it sends is seen as opaque bytes; NSS is not followed yet
libs2n.so.1 TLS: what it sends is seen as opaque bytes; s2n is not followed yet
libcurl-nss.so.4 HTTP/1 and HTTP/2 are seen in the clear; what it speaks TLS with, NSS, is not followed yet
libjli.so Java: its own TLS (JSSE) is seen as opaque bytes; what goes in the clear is followed
END
absent "inside TLS where"
# Real ones, where they are.
while read -r program name words; do
	file=$(PATH=$PATH:/usr/sbin command -v "$program") || { echo "left out: $program is not installed"; continue; }
	check 0 "$name" "$file"
	grep -qF -- "$words" out || fail "check $file: no \"$words\""
done <<'END'
tstclnt libssl3.so NSS is not followed yet
selfserv libssl3.so NSS is not followed yet
privoxy libmbedtls.so mbed TLS is not followed yet
wget libgnutls.so what is inside it is seen (GnuTLS)
openssl libssl.so what is inside it is seen (OpenSSL)
END
if command -v java >/dev/null; then
	check 0 "libjli.so: Java: its own TLS (JSSE)" "$(command -v java)"
else
	echo "left out: java is not installed"
fi

# --- scripts
printf '#!/bin/sh\necho\n' > script.sh && chmod +x script.sh
check 0 "./script.sh is a script: this is about /bin/sh" ./script.sh
printf '#! /usr/bin/env -S X=1 sh -e\n' > env.sh && chmod +x env.sh
check 0 "./env.sh is a script: this is about" ./env.sh
printf '#!%s/script.sh\n' "$dir" > twice.sh && chmod +x twice.sh
check 0 "script.sh is a script: this is about /bin/sh" ./twice.sh
printf '#!%s/loop.sh\n' "$dir" > loop.sh && chmod +x loop.sh
check 2 "deeper than the kernel follows" ./loop.sh
printf '#!/no/such/interpreter\n' > gone.sh && chmod +x gone.sh
check 2 "/no/such/interpreter: cannot be found" ./gone.sh
printf '#!\n' > none.sh && chmod +x none.sh
check 2 "names no interpreter" ./none.sh
[ -x ./static ] && printf '#!%s/static\n' "$dir" > s.sh && chmod +x s.sh && check 1 "statically linked" ./s.sh

# --- privilege: the owner is somebody else
if [ "$(id -u)" = 0 ]; then
	cp plain setuid && chown 65534 setuid && chmod 4755 setuid
	check 1 "set-user-id nobody: the loader ignores LD_PRELOAD" ./setuid
	cp plain setgid && chgrp 65534 setgid && chmod 2755 setgid
	check 1 "set-group-id 65534" ./setgid
	cp plain mine && chmod 4755 mine
	check 0 "set-user-id root: traced when you run it" ./mine
else
	echo "cli_check: set-user-id files not tested: not root"
fi

# --- files that are no programs
check 2 "not found" no-such-program
check 2 "cannot be found: No such file" ./none
check 2 "is a directory" ./
check 2 "is no regular file" /dev/null
mkfifo pipe && check 2 "is no regular file" ./pipe
: > empty && check 2 "expected an ELF program or a script, found an empty file" ./empty
echo text > text && check 2 "expected an ELF program or a script" ./text
printf '\x7fELF' > four && check 2 "" ./four
for size in 16 20 63 64 100 200 500 1000 5000 12000; do
	head -c $size plain > cut && "$tagalong" check ./cut > out 2> err
	[ $? -le 2 ] || fail "a program cut to $size bytes"
done
printf '#!/bin/\033[31msh\n' > evil.sh && chmod +x evil.sh
check 2 '\x1b[31m' ./evil.sh
check 1 "" ./plain ./main.o
check 2 "" ./plain ./none ./main.o
check 2 "no program named"
check 2 "unknown option" --bogus

# What would refuse to start behind us is said, and run without us.
printf '#include <stdio.h>\nint main(void) { return puts("started") < 0; }\n' > asan.c
if gcc -fsanitize=address -o asan asan.c 2> /dev/null; then
	check 1 "AddressSanitizer, which refuses to start" ./asan
	[ "$("$tagalong" run ./asan 2> /dev/null)" = started ] || { echo "FAILED: an ASan program is not run"; failures=$((failures + 1)); }
fi

if command -v go > /dev/null && [ -z "${NO_GO:-}" ]; then
	mkdir g && printf 'package main\nfunc main() {}\n' > g/main.go
	if (cd g && GO111MODULE=off CGO_ENABLED=0 GOCACHE=$dir/cache HOME=$dir go build -o ../gostatic main.go) 2> /dev/null; then
		check 1 "a Go program, statically linked" ./gostatic
	fi
	printf 'package main\nimport "C"\nfunc main() {}\n' > g/main.go
	if (cd g && GO111MODULE=off CGO_ENABLED=1 GOCACHE=$dir/cache HOME=$dir go build -o ../godynamic main.go) 2> /dev/null; then
		check 1 "a Go program: its runtime makes system calls itself" ./godynamic
	fi
else
	echo "left out: go is not installed"
fi

[ $failures = 0 ] && echo "cli_check: ok"
exit $((failures > 0))
