# make deps: what is missing of Debian's packages, installed where that can be done, else named. Used where they are, and not
# asked for: Go, and node-pg, which cannot be installed beside a node that is not Debian's.
DEPS_BUILD := gcc make libc6-dev protobuf-c-compiler libprotobuf-c-dev libnghttp2-dev protobuf-compiler zlib1g-dev libjansson-dev
DEPS_DEMO := nginx-light curl libcurl4-openssl-dev python3 procps php-fpm openssl \
	postgresql libpq-dev mariadb-server php-mysql redis-server python3-redis
DEPS_TEST := libcmocka-dev jq socat redis-server apache2-bin apache2-utils php-cgi php-cli libpython3.11-testsuite python3-grpcio strace wrk \
	wget libwww-perl liblwp-protocol-https-perl ruby php-curl lighttpd lighttpd-mod-openssl nghttp2-client nghttp2-server gunicorn \
	uwsgi-core uwsgi-plugin-python3 python3-websockets openssl libssl-dev libgnutls28-dev libcurl3-gnutls python3-pycurl valgrind binutils g++ clang libclang-rt-14-dev clang-format clang-tidy man-db bc libuv1-dev libevent-dev libev-dev libglib2.0-dev libaprutil1-dev pkg-config
# Databases and their clients.
DEPS_TEST += mariadb-server mariadb-client libmariadb-dev php-mysql libdbd-mysql-perl libdbd-mariadb-perl python3-mysqldb python3-pymysql python3-aiomysql \
	node-mysql libmariadb-java default-jdk-headless
DEPS_TEST += postgresql libpq-dev python3-psycopg2 python3-psycopg python3-asyncpg php-pgsql libdbd-pg-perl libpostgresql-jdbc-java \
	krb5-kdc krb5-admin-server krb5-user
# The carriers' (tls, http2, matrix, backends, grpc).
DEPS_TEST += haproxy nghttp2-proxy default-jdk-headless libcurl3-gnutls libgrpc++-dev libfcgi-perl libapache2-mod-proxy-uwsgi busybox
# What fetches wheels: with OpenSSL 1.1 in it (openssl11), with libpq 17 (libpq17).
DEPS_TEST += python3-pip
# Call stacks.
DEPS_TEST += libunwind8
# TLS that is not followed, and a libcurl with it (cli_check, curl).
DEPS_TEST += libnss3-tools libcurl3-nss
# A libc that is not glibc.
DEPS_TEST += musl-tools
# A client that writes and connects in one call.
DEPS_TEST += wget2
# Redis and its clients.
DEPS_TEST += libhiredis-dev python3-redis php-redis
# SQLite, from every side.
DEPS_TEST += libsqlite3-dev sqlite3 php-sqlite3 libdbd-sqlite3-perl
# ODBC and drivers for it.
DEPS_TEST += unixodbc unixodbc-dev odbcinst libsqliteodbc odbc-postgresql odbc-mariadb python3-pyodbc php-odbc postgresql
# memcached and its clients.
DEPS_TEST += memcached libmemcached-tools libmemcached-dev python3-pymemcache python3-memcache php-memcached libcache-memcached-perl
# What does its input and output past libc.
DEPS_TEST += liburing-dev
# What the accuracy rig's servers are made of (make causality).
DEPS_RIG := haproxy libapache2-mod-php python3-gevent python3-aiohttp nodejs \
	default-jdk-headless ruby-webrick puma starman squid varnish thin libmojolicious-perl python3-eventlet python3-tornado \
	python3-twisted python3-hypercorn python3-uvicorn uvicorn python3-httpx

.PHONY: deps
deps:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST)
.PHONY: deps-causality
deps-causality:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST) $(DEPS_RIG)
.PHONY: deps-build
deps-build:
	@tests/support/deps.sh $(DEPS_BUILD)
.PHONY: deps-demo
deps-demo:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_DEMO)
