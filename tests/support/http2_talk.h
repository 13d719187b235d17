/* http2_talk.h - conversations between an nghttp2 client and an nghttp2 server, through memory, written down. */
#ifndef TAGALONG_HTTP2_TALK_H
#define TAGALONG_HTTP2_TALK_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "preload/protocol.h"

#define TALK_PIECES 400

struct talk {
	nghttp2_session *client, *server;
	size_t padding; /* of each HEADERS and DATA frame */
	bool early;     /* the server answers 103 first */
	bool trailers;  /* and sends trailers last */
	bool push;
	bool mute; /* the server answers nothing */
	const char *grpc; /* the server answers a call: grpc-status in the trailers, "" none there; NULL: HTTP */
	bool only;        /* and nothing but trailers */
	bool unindexed;   /* fields more than the usual are put in no table */
	size_t body;
	FILE *seen; /* the fields that the server read */
	char *seen_text;
	size_t seen_size;
	size_t pieces;
	struct {
		enum protocol_half half;
		struct bytes text;
	} piece[TALK_PIECES];
};

#define TALK_NV(n, v) \
	((nghttp2_nv){(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE})

static inline ssize_t talk_padding(nghttp2_session *session, const nghttp2_frame *frame, size_t most, void *arg)
{
	const struct talk *talk = arg;
	(void)session;
	return (ssize_t)(frame->hd.length + talk->padding < most ? frame->hd.length + talk->padding : most);
}

static inline ssize_t talk_read(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len, uint32_t *flags,
				nghttp2_data_source *source, void *arg)
{
	struct talk *talk = arg;
	(void)source;
	memset(buf, 'd', talk->body < len ? talk->body : len);
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (talk->trailers && session == talk->server) {
		nghttp2_nv nv[] = {TALK_NV("traceparent", "not-in-a-trailer"),
				   TALK_NV("grpc-status", talk->grpc ? talk->grpc : "0")};
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, stream, nv, talk->grpc && !*talk->grpc ? 1 : 2);
	}
	return (ssize_t)(talk->body < len ? talk->body : len);
}

static inline void talk_respond(struct talk *talk, int32_t stream)
{
	nghttp2_nv early[] = {TALK_NV(":status", "103"), TALK_NV("link", "</style.css>")};
	nghttp2_nv nv[] = {TALK_NV(":status", stream % 4 == 1 ? "200" : "404"), TALK_NV("content-type", "text/plain"),
			   TALK_NV("server", "talk")};
	nghttp2_nv pushed[] = {TALK_NV(":method", "GET"), TALK_NV(":scheme", "http"), TALK_NV(":path", "/pushed"),
			       TALK_NV(":authority", "a.example")};
	nghttp2_data_provider body = {.read_callback = talk_read};
	if (talk->grpc) {
		nghttp2_nv call[] = {TALK_NV(":status", "200"), TALK_NV("content-type", "application/grpc"),
				     TALK_NV("grpc-status", talk->grpc)};
		nghttp2_submit_response(talk->server, stream, call, talk->only ? 3 : 2, talk->only ? NULL : &body);
		return;
	}
	if (talk->early)
		nghttp2_submit_headers(talk->server, 0, stream, NULL, early, 2, NULL);
	if (talk->push) {
		int32_t id = nghttp2_submit_push_promise(talk->server, 0, stream, pushed, 4, NULL);
		if (id > 0)
			nghttp2_submit_response(talk->server, id, nv, 3, NULL);
	}
	nghttp2_submit_response(talk->server, stream, nv, 3, talk->body || talk->trailers ? &body : NULL);
}

static inline int talk_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct talk *talk = arg;
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (session == talk->server && ends && !talk->mute &&
	    (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
		talk_respond(talk, frame->hd.stream_id);
	return 0;
}

static inline int talk_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
			      const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct talk *talk = arg;
	(void)flags;
	if (session == talk->server)
		fprintf(talk->seen, "%d %.*s: %.*s\n", frame->hd.stream_id, (int)name_len, (const char *)name,
			(int)value_len, (const char *)value);
	return 0;
}

static inline void talk_open(struct talk *talk)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	memset(talk, 0, sizeof(*talk));
	talk->seen = open_memstream(&talk->seen_text, &talk->seen_size);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_option_new(&option);
	nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
	nghttp2_option_set_max_deflate_dynamic_table_size(option, 65536); /* as far as the other side allows */
	nghttp2_session_callbacks_set_select_padding_callback(callbacks, talk_padding);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, talk_frame);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, talk_header);
	nghttp2_session_client_new2(&talk->client, callbacks, talk, option);
	nghttp2_session_server_new2(&talk->server, callbacks, talk, option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	nghttp2_submit_settings(talk->client, 0, NULL, 0);
	nghttp2_submit_settings(talk->server, 0, NULL, 0);
}

static inline size_t talk_drain(struct talk *talk, enum protocol_half half)
{
	nghttp2_session *from = half == HALF_REQUESTS ? talk->client : talk->server;
	nghttp2_session *to = half == HALF_REQUESTS ? talk->server : talk->client;
	const uint8_t *data;
	char *text = NULL;
	size_t size = 0;
	ssize_t got;
	FILE *out = open_memstream(&text, &size);
	while ((got = nghttp2_session_mem_send(from, &data)) > 0) {
		fwrite(data, 1, (size_t)got, out);
	}
	fclose(out);
	if (size == 0) {
		free(text);
		return 0;
	}
	if (talk->pieces == TALK_PIECES || nghttp2_session_mem_recv(to, (const uint8_t *)text, size) != (ssize_t)size)
		abort();
	talk->piece[talk->pieces].half = half;
	talk->piece[talk->pieces++].text = (struct bytes){text, size};
	return size;
}

/* Until neither side has anything to say. */
static inline void talk_pump(struct talk *talk)
{
	while (talk_drain(talk, HALF_REQUESTS) + talk_drain(talk, HALF_RESPONSES) > 0)
		;
}

/* GET with these fields more (name, value, ..., NULL); a POST if the talk has a body. */
static inline int32_t talk_request(struct talk *talk, const char *path, const char *const *more)
{
	nghttp2_nv nv[32] = {TALK_NV(":method", talk->body ? "POST" : "GET"), TALK_NV(":scheme", "http"),
			     TALK_NV(":authority", "a.example:8080"), TALK_NV(":path", path)};
	size_t count = 4;
	nghttp2_data_provider body = {.read_callback = talk_read};
	for (; more && *more; more += 2)
		nv[count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)more[0], (uint8_t *)(uintptr_t)more[1], strlen(more[0]), strlen(more[1]),
					   talk->unindexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
	return nghttp2_submit_request(talk->client, NULL, nv, count, talk->body ? &body : NULL, NULL);
}

static inline void talk_setting(nghttp2_session *session, int32_t name, uint32_t value)
{
	nghttp2_settings_entry entry = {name, value};
	nghttp2_submit_settings(session, 0, &entry, 1);
}

static inline void talk_close(struct talk *talk)
{
	nghttp2_session_del(talk->client);
	nghttp2_session_del(talk->server);
	fclose(talk->seen);
	free(talk->seen_text);
	for (size_t i = 0; i < talk->pieces; i++)
		free((char *)(uintptr_t)talk->piece[i].text.ptr);
}

#endif
