/* bench_http1.c - what the HTTP/1 parser costs per message, alone. Under callgrind a count may be given. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hooks/protocols/http1.h"

extern const struct protocol protocol_http1;

static const char request[] =
	"GET /api/v1/orders?limit=20&after=9f8e7d HTTP/1.1\r\nHost: shop.example.com\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
	"Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef\r\n"
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
			       "Content-Type: application/json\r\nContent-Length: 1024\r\n"
			       "Connection: keep-alive\r\nETag: \"65920080-400\"\r\n\r\n";

static const struct protocol_endpoint endpoint = {.peer_address = {"192.0.2.7", 9},
						  .local_address = {"192.0.2.1", 9},
						  .peer_port = 43210,
						  .local_port = 80};
static const struct attrs_limits limits = {128, UINT32_MAX};

struct bench_sink {
	struct protocol_sink base;
	struct http1_state state;
	struct attrs attrs;
	bool describe;
	uint64_t events, opaque, attributes;
	uint8_t room[1072];
};

static void on_event(struct protocol_sink *base, const struct protocol_event *event)
{
	struct bench_sink *sink = (struct bench_sink *)(void *)base;
	struct protocol_facts facts = {.attrs = &sink->attrs};

	sink->events++;
	sink->opaque += event->type == EVENT_OPAQUE;
	if (!sink->describe || (event->type != EVENT_REQUEST_HEAD && event->type != EVENT_RESPONSE_HEAD))
		return;
	bool first = event->type == EVENT_REQUEST_HEAD;
	if (first)
		attrs_init(&sink->attrs, sink->room, sizeof(sink->room), &limits);
	protocol_http1.describe(&sink->state, SIDE_SERVER, first ? MOMENT_REQUEST : MOMENT_RESPONSE,
				&endpoint, &facts);
	sink->attributes = sink->attrs.count;
}

static uint32_t carrier(struct bytes name)
{
	return bytes_equal_nocase(name, BYTES("traceparent"));
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void report(const char *what, double start, long count)
{
	printf("%-44s %8.1f ns\n", what, (now() - start) / (double)count);
}

int main(int argc, char **argv)
{
	static struct bench_sink sink;
	static char body[1024];
	long count = argc > 1 ? atol(argv[1]) : 1000000;
	double start;

	sink.base.event = on_event;
	static const uint32_t lengths[26] = {['t' - 'a'] = 1u << 11 | 1u << 10, ['b' - 'a'] = 1u << 7};
	protocol_settings.carrier = carrier;
	protocol_settings.carrier_lengths = lengths;
	protocol_settings_done();
	for (int describe = 0; describe < 2; describe++) {
		sink.describe = describe;
		protocol_http1.open(&sink.state);
		start = now();
		for (long i = 0; i < count; i++) {
			protocol_http1.feed(&sink.state, HALF_REQUESTS, BYTES(request), &sink.base);
			protocol_http1.feed(&sink.state, HALF_RESPONSES, BYTES(response), &sink.base);
			protocol_http1.feed(&sink.state, HALF_RESPONSES, (struct bytes){body, sizeof(body)},
					    &sink.base);
		}
		report(describe ? "exchange, fed and described" : "exchange, fed only", start, count);
	}
	sink.describe = true;
	start = now();
	for (long i = 0; i < count; i++) {
		protocol_http1.open(&sink.state);
		protocol_http1.feed(&sink.state, HALF_REQUESTS, BYTES(request), &sink.base);
	}
	report("request head, fed and described", start, count);
	sink.describe = false;
	start = now();
	for (long i = 0; i < count; i++) {
		protocol_http1.open(&sink.state);
		protocol_http1.feed(&sink.state, HALF_REQUESTS, BYTES(request), &sink.base);
	}
	report("request head, fed only", start, count);
	printf("state %zu bytes, %llu attributes, %llu events, %llu opaque\n", sizeof(struct http1_state),
	       (unsigned long long)sink.attributes, (unsigned long long)sink.events,
	       (unsigned long long)sink.opaque);
	return sink.opaque != 0;
}
