/* transport_otlp.c - OTLP over HTTP, protobuf or JSON (otel.md 2.1-2.3). */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "exporter/http.h"
#include "exporter/transport.h"
#include "preload/clock.h"
#include "preload/counters.h"
#include "preload/id.h"

#define ATTEMPTS 5
#define FIRST_WAIT 1000
#define LONGEST_WAIT 5000
#define REQUEST_MAX ((size_t)64 << 20)

struct signal {
	const struct config_otlp *config;
	const char *what;
	struct http_client client;
	struct buffer fields; /* header lines that do not change */
	uint64_t not_before;  /* monotonic ns: the receiver asked to be left alone until then */
	bool unreachable;     /* said already */
	bool off;             /* the receiver has no place for this signal */
};

static struct signal traces = {.what = "traces", .client = {.slot = -1}};
static struct signal metrics = {.what = "metrics", .client = {.slot = -1}};
static struct buffer body, packed;
static struct id_state jitter;

static int hex_digit(char c)
{
	c = bytes_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add_decoded(struct buffer *out, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		int high = -1, low = -1;
		if (value.ptr[i] == '%' && i + 2 < value.len) {
			high = hex_digit(value.ptr[i + 1]);
			low = hex_digit(value.ptr[i + 2]);
		}
		char c = high >= 0 && low >= 0 ? (char)(high * 16 + low) : value.ptr[i];
		if (high >= 0 && low >= 0)
			i += 2;
		if (c != '\r' && c != '\n' && c != '\0') /* a header of the user's must stay one header */
			buffer_byte(out, (uint8_t)c);
	}
}

/* OTEL_EXPORTER_OTLP_HEADERS: k=v,k=v with percent-encoding. Values are never logged. */
static void add_user_headers(struct buffer *out, const char *text)
{
	static const char *told;
	struct bytes list = bytes_of(text), item;
	while (bytes_next(&list, ',', &item)) {
		size_t equals = bytes_find(item, '=');
		struct bytes name = bytes_trim(bytes_until(item, equals));
		if (item.len == 0)
			continue;
		if (equals == item.len || name.len == 0 || bytes_find(name, ' ') < name.len ||
		    bytes_find(name, ':') < name.len) {
			if (told != text) /* traces and metrics may share it */
				log_warn("export",
					 "an item of OTEL_EXPORTER_OTLP_HEADERS is not key=value: left out");
			told = text;
			continue;
		}
		buffer_add(out, name.ptr, name.len);
		buffer_text(out, ": ");
		add_decoded(out, bytes_trim(bytes_from(item, equals + 1)));
		buffer_text(out, "\r\n");
	}
}

static bool is_json(const struct signal *signal)
{
	return strcmp(signal->config->protocol, "http/json") == 0;
}

static void prepare(struct signal *signal, const struct config_otlp *otlp)
{
	struct buffer *out = &signal->fields;
	bool v6 = strchr(otlp->host, ':') != NULL;

	signal->config = otlp;
	signal->client.host = otlp->host;
	signal->client.port = otlp->port;
	buffer_clear(out);
	buffer_text(out, "POST ");
	buffer_text(out, otlp->path);
	buffer_text(out, v6 ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
	buffer_text(out, otlp->host);
	buffer_text(out, v6 ? "]:" : ":");
	buffer_unsigned(out, otlp->port);
	buffer_text(out, "\r\nUser-Agent: tagalong/" TAGALONG_VERSION
			 " OTel-OTLP-Exporter-C/" TAGALONG_VERSION "\r\nContent-Type: application/");
	buffer_text(out, is_json(signal) ? "json\r\n" : "x-protobuf\r\n");
	if (otlp->gzip)
		buffer_text(out, "Content-Encoding: gzip\r\n");
	if (otlp->headers)
		add_user_headers(out, otlp->headers);
}

static void start(void)
{
	buffer_forget(&body);
	buffer_forget(&packed);
	buffer_forget(&traces.fields);
	buffer_forget(&metrics.fields);
	prepare(&traces, &config.traces);
	prepare(&metrics, &config.metrics);
}

static bool compress_body(struct buffer *from, struct buffer *to)
{
	z_stream stream = {0};
	buffer_clear(to);
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	size_t bound = deflateBound(&stream, from->len);
	bool done = false;
	if (buffer_reserve(to, bound)) {
		stream.next_in = (Bytef *)from->data;
		stream.avail_in = (uInt)from->len;
		stream.next_out = (Bytef *)to->data;
		stream.avail_out = (uInt)bound;
		done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
		to->len = stream.total_out;
	}
	deflateEnd(&stream);
	return done;
}

static void inflate_body(struct buffer *body_in)
{
	z_stream stream = {0};
	struct buffer out = {0};
	if (inflateInit2(&stream, 15 + 16) != Z_OK || !buffer_reserve(&out, 65536))
		return;
	stream.next_in = (Bytef *)body_in->data;
	stream.avail_in = (uInt)body_in->len;
	stream.next_out = (Bytef *)out.data;
	stream.avail_out = 65536; /* an error text longer than that is cut */
	(void)inflate(&stream, Z_FINISH);
	out.len = stream.total_out;
	inflateEnd(&stream);
	buffer_free(body_in);
	*body_in = out;
}

static enum http_result send_once(struct signal *signal, struct bytes content, uint64_t deadline,
				  struct http_response *response)
{
	struct buffer head = {0};
	buffer_add(&head, signal->fields.data, signal->fields.len);
	buffer_text(&head, "Content-Length: ");
	buffer_unsigned(&head, content.len);
	buffer_text(&head, "\r\n\r\n");
	enum http_result result = HTTP_UNREACHABLE;
	if (!head.failed)
		result = http_post(&signal->client, buffer_bytes(&head), content, deadline, response);
	buffer_free(&head);
	return result;
}

/* How long until the next attempt: what the server asked for, else exponential with jitter. */
static uint64_t wait_ms(int attempt, const struct http_response *response, bool answered)
{
	if (answered && response->retry_after > 0)
		return (uint64_t)response->retry_after;
	uint64_t ms = FIRST_WAIT;
	for (int i = 0; i < attempt && ms < LONGEST_WAIT; i++)
		ms += ms / 2;
	if (ms > LONGEST_WAIT)
		ms = LONGEST_WAIT;
	return ms * (80 + id_random(&jitter) % 41) / 100;
}

static bool is_retryable(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void say_reachable(struct signal *signal, bool reached, int status)
{
	if (signal == &metrics) /* counters are no reason to shout */
		return;
	if (!reached && !signal->unreachable && status)
		log_warn("export", "%s answers %d: %s are kept as far as the queue goes", signal->config->url,
			 status, signal->what);
	else if (!reached && !signal->unreachable)
		log_warn("export", "%s cannot be reached: %s are kept as far as the queue goes",
			 signal->config->url, signal->what);
	if (reached && signal->unreachable)
		log_warn("export", "%s is back", signal->config->url);
	signal->unreachable = !reached;
}

static void log_refusal(const struct signal *signal, struct http_response *response)
{
	Otlp__RpcStatus *status = NULL;
	if (response->gzip)
		inflate_body(&response->body);
	if (!is_json(signal) && response->body.len)
		status = otlp__rpc_status__unpack(NULL, response->body.len,
						  (const uint8_t *)response->body.data);
	if (status && status->message[0])
		log_warn("export", "%s answered %d: %s", signal->config->url, response->status,
			 status->message);
	else
		log_warn("export", "%s answered %d: %.*s", signal->config->url, response->status,
			 (int)(response->body.len < 200 ? response->body.len : 200),
			 response->body.data ? response->body.data : "");
	if (status)
		otlp__rpc_status__free_unpacked(status, NULL);
}

static void log_partial(const struct signal *signal, uint64_t rejected, struct bytes why)
{
	if (rejected || why.len)
		log_warn("export", "%s took %s but for %lu: %.*s", signal->config->url, signal->what,
			 (unsigned long)rejected, (int)(why.len < 200 ? why.len : 200),
			 why.ptr ? why.ptr : "");
}

/* What follows `"name":` in a small JSON text, without the quotation mark of a string; NONE: not there.
 * Writers differ in their white space, and one changes it from day to day. */
static struct bytes json_member(struct bytes text, struct bytes name)
{
	for (; text.len > name.len; text = bytes_from(text, 1)) {
		if (!bytes_starts(text, name))
			continue;
		struct bytes rest = bytes_from(text, name.len);
		bool colon = false;
		while (rest.len && (strchr(" \t\r\n", rest.ptr[0]) || (!colon && rest.ptr[0] == ':'))) {
			colon |= rest.ptr[0] == ':';
			rest = bytes_from(rest, 1);
		}
		if (colon)
			return bytes_from(rest, rest.len && rest.ptr[0] == '"');
	}
	return BYTES_NONE;
}

static uint64_t rejected_by_json(const struct signal *signal, struct bytes text)
{
	struct bytes name = signal == &metrics ? BYTES("\"rejectedDataPoints\"") : BYTES("\"rejectedSpans\"");
	struct bytes number = json_member(text, name), why = json_member(text, BYTES("\"errorMessage\""));
	uint64_t rejected = 0;
	for (size_t i = 0; i < number.len && i < 12 && number.ptr[i] >= '0' && number.ptr[i] <= '9'; i++)
		rejected = rejected * 10 + (uint64_t)(number.ptr[i] - '0');
	log_partial(signal, rejected, bytes_until(why, bytes_find(why, '"')));
	return rejected;
}

/* Items that the receiver took the request without. */
static uint64_t rejected_items(const struct signal *signal, struct http_response *response)
{
	uint64_t rejected = 0;
	if (response->gzip)
		inflate_body(&response->body);
	if (is_json(signal))
		return rejected_by_json(signal, buffer_bytes(&response->body));
	if (response->body.len == 0)
		return 0;
	Otlp__ExportResponse *answer =
		otlp__export_response__unpack(NULL, response->body.len, (const uint8_t *)response->body.data);
	if (answer && answer->partial_success) {
		int64_t count = answer->partial_success->rejected;
		rejected = count > 0 ? (uint64_t)count : 0;
		log_partial(signal, rejected, bytes_of(answer->partial_success->error_message));
	}
	if (answer)
		otlp__export_response__free_unpacked(answer, NULL);
	return rejected;
}

struct attempt_end {
	enum http_result result;
	bool gave_up; /* time or attempts ran out */
};

static uint64_t deadline_of(const struct signal *signal)
{
	uint32_t whole = signal == &metrics ? config.metric_export_timeout : config.bsp_export_timeout;
	uint32_t one = signal->config->timeout;
	return clock_now() + (uint64_t)(one < whole ? one : whole) * 1000000u;
}

static struct attempt_end send_with_retries(struct signal *signal, struct bytes content,
					    struct http_response *response)
{
	uint64_t deadline = deadline_of(signal);
	struct attempt_end end = {HTTP_UNREACHABLE, true};

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		uint64_t limit = exporter_deadline();
		if (limit > deadline)
			limit = deadline;
		end.result = send_once(signal, content, limit, response);
		bool answered = end.result == HTTP_DONE;
		if (answered && !is_retryable(response->status)) {
			end.gave_up = false;
			return end;
		}
		/* No use waiting here for a receiver that is not there: the queue keeps what it can. */
		if (end.result == HTTP_BROKEN || signal == &metrics || (signal->unreachable && !answered))
			return end;
		uint64_t wait = wait_ms(attempt, response, answered);
		if (answered && response->retry_after > 0)
			signal->not_before = clock_now() + wait * 1000000u;
		if (clock_now() + wait * 1000000u >= limit || attempt + 1 == ATTEMPTS)
			return end;
		count_one(export_retries);
		if (!exporter_pause(wait) && exporter_ending()) {
			end.result = send_once(signal, content, exporter_deadline(), response);
			end.gave_up = end.result != HTTP_DONE || is_retryable(response->status);
			return end;
		}
	}
	return end;
}

static enum delivery judge(struct signal *signal, struct attempt_end end, struct http_response *response,
			   size_t items)
{
	bool spans = signal == &traces;
	if (end.result == HTTP_UNREACHABLE || end.result == HTTP_TIMEOUT ||
	    (end.gave_up && end.result == HTTP_DONE)) {
		say_reachable(signal, false, end.result == HTTP_DONE ? response->status : 0);
		return POSTPONED;
	}
	if (end.result == HTTP_BROKEN) {
		log_warn("export", "%s gave no HTTP answer that could be read", signal->config->url);
		if (spans)
			count_add(spans_export_failed, items);
		return REFUSED;
	}
	say_reachable(signal, true, 0);
	if (response->status >= 200 && response->status < 300) {
		uint64_t rejected = rejected_items(signal, response);
		rejected = rejected > items ? items : rejected;
		if (spans) {
			count_add(spans_refused, rejected);
			count_add(spans_exported, items - rejected);
		}
		return DELIVERED;
	}
	if (spans)
		count_add(spans_export_failed, items);
	if (spans || response->status != 404)
		log_refusal(signal, response);
	signal->off = !spans;
	return REFUSED;
}

static enum delivery deliver(struct signal *signal, size_t items)
{
	struct http_response response = {0};
	struct buffer *content = &body;
	enum delivery delivery = REFUSED;

	if (body.failed || body.len > REQUEST_MAX) {
		if (signal == &traces)
			count_add(spans_too_large, items);
	} else {
		if (signal->config->gzip && compress_body(&body, &packed))
			content = &packed;
		struct attempt_end end = send_with_retries(signal, buffer_bytes(content), &response);
		delivery = judge(signal, end, &response, items);
	}
	buffer_free(&response.body);
	buffer_clear(&body); /* a large one is given back, not kept while idle */
	buffer_clear(&packed);
	return delivery;
}

static bool is_too_early(const struct signal *signal)
{
	return clock_now() < signal->not_before && !exporter_ending();
}

static enum delivery send_spans(const struct batch *batch)
{
	if (!traces.config->usable) {
		count_add(spans_export_failed, batch->count);
		return REFUSED;
	}
	if (is_too_early(&traces))
		return POSTPONED;
	buffer_clear(&body);
	if (is_json(&traces))
		otlp_json(&body, batch);
	else
		otlp_protobuf(&body, batch);
	return deliver(&traces, batch->count);
}

static enum delivery send_metrics(void)
{
	if (!metrics.config->usable || metrics.off || is_too_early(&metrics))
		return REFUSED;
	buffer_clear(&body);
	otlp_metrics(&body, is_json(&metrics));
	return deliver(&metrics, 0);
}

static void stop(void)
{
	http_close(&traces.client);
	http_close(&metrics.client);
	buffer_free(&body);
	buffer_free(&packed);
}

static const char *where(void)
{
	return config.traces.url;
}

const struct transport transport_otlp = {
	.kind = EXPORTER_OTLP,
	.name = "otlp",
	.start = start,
	.spans = send_spans,
	.metrics = send_metrics,
	.stop = stop,
	.where = where,
};
