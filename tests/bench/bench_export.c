/* bench_export - what the queue and the exporter's thread cost a span, without any program around them.
 *
 * usage: bench_export URL SPANS [NAME=VALUE...]     prints: ns of a queue_put, ns of CPU of an export, spans
 * exported
 *
 * The spans are 440 bytes each, differ in their ids, and are put in bursts that the queue holds, with a flush
 * after each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/exporter.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "preload/span.h"

#define BURST 4096

static uint64_t cpu(clockid_t of)
{
	struct timespec t;
	clock_gettime(of, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One span as the hooks write it, padded by attributes to about 400 bytes. */
static struct bytes make_span(char out[1024])
{
	struct queue_record record;
	struct span *span = span_begin(SPAN_SERVER, clock_now());
	span_identify(span, NULL);
	span_name(span, BYTES("GET"));
	attrs_string(&span->attrs, BYTES("http.request.method"), BYTES("GET"));
	attrs_string(&span->attrs, BYTES("url.path"), BYTES("/a/path/of/some/length/index.html"));
	attrs_string(&span->attrs, BYTES("url.scheme"), BYTES("http"));
	attrs_string(&span->attrs, BYTES("server.address"), BYTES("shop.example.com"));
	attrs_int(&span->attrs, BYTES("server.port"), 8080);
	attrs_string(&span->attrs, BYTES("client.address"), BYTES("192.0.2.17"));
	attrs_string(&span->attrs, BYTES("network.peer.address"), BYTES("192.0.2.17"));
	attrs_int(&span->attrs, BYTES("network.peer.port"), 51234);
	attrs_string(&span->attrs, BYTES("network.protocol.version"), BYTES("1.1"));
	attrs_string(&span->attrs, BYTES("user_agent.original"), BYTES("Mozilla/5.0 (X11; Linux x86_64)"));
	attrs_int(&span->attrs, BYTES("http.response.status_code"), 200);
	span_end(span, clock_now());
	if (queue_peek(&record, 1, SIZE_MAX) != 1)
		exit(1);
	struct bytes made = {out, record.payload.len};
	memcpy(out, record.payload.ptr, made.len);
	queue_release(1);
	return made;
}

/* Its ids anew, so that no two are alike. */
static void vary(char *span)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;
	for (int at = 2; at <= 20; at += at == 2 ? 8 : 10) { /* 0a 10 <16 bytes> 12 08 <8 bytes> */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(span + at, &x, 8);
	}
}

int main(int argc, char **argv)
{
	char url[300], payload[1024], *env[20] = {url, "OTEL_METRICS_EXPORTER=none"};
	if (argc < 3 || argc > 20) {
		fprintf(stderr, "usage: bench_export URL SPANS [NAME=VALUE...]\n");
		return 2;
	}
	snprintf(url, sizeof(url), "OTEL_EXPORTER_OTLP_ENDPOINT=%s", argv[1]);
	for (int i = 3; i < argc; i++)
		env[i - 1] = argv[i];
	long spans = strtol(argv[2], NULL, 10), put = 0;
	config_load(env, "bench");
	clock_adjust();
	if (!span_init(16) || !queue_open(config.queue_bytes, 0))
		return 1;
	struct bytes span = make_span(payload);
	exporter_init();
	queue_set_waker(exporter_wake);
	uint64_t in_put = 0, own = cpu(CLOCK_THREAD_CPUTIME_ID), all = cpu(CLOCK_PROCESS_CPUTIME_ID);
	while (put < spans) {
		uint64_t from = clock_now();
		for (int i = 0; i < BURST; i++) {
			vary(payload);
			queue_put(RECORD_SPAN, &span, 1);
		}
		in_put += clock_now() - from;
		put += BURST;
		if (!exporter_flush(10000))
			break;
	}
	own = cpu(CLOCK_THREAD_CPUTIME_ID) - own;
	all = cpu(CLOCK_PROCESS_CPUTIME_ID) - all;
	printf("%.1f %.1f %" PRIu64 "\n", (double)in_put / (double)put, (double)(all - own) / (double)put,
	       count_get(spans_exported));
	fprintf(stderr, "%zu bytes a span\n", span.len);
	return count_get(spans_exported) == (uint64_t)put ? 0 : 1;
}
