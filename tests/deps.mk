# make deps: what is missing of Debian's packages, installed where that can be done, else named.
DEPS_BUILD := gcc make libc6-dev protobuf-c-compiler libprotobuf-c-dev libnghttp2-dev protobuf-compiler zlib1g-dev libjansson-dev
DEPS_DEMO := nginx-light curl libcurl4-openssl-dev python3 procps php-fpm openssl
DEPS_TEST := libcmocka-dev jq socat redis-server apache2-bin apache2-utils php-cgi php-cli libpython3.11-testsuite python3-grpcio strace wrk \
	wget libwww-perl liblwp-protocol-https-perl ruby php-curl lighttpd lighttpd-mod-openssl nghttp2-client nghttp2-server gunicorn \
	uwsgi-core uwsgi-plugin-python3 openssl libssl-dev libgnutls28-dev valgrind binutils g++ clang libclang-rt-14-dev clang-format clang-tidy man-db

.PHONY: deps
deps:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST)
.PHONY: deps-demo
deps-demo:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_DEMO)
