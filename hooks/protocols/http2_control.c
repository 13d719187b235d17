/* http2_control.c - frames that change what other frames mean. */
#include "hooks/protocols/http2.h"

/* Six bytes of a SETTINGS frame: an identifier and a value. */
void http2_setting(struct http2_run *run)
{
	struct http2_half *half = run->half;
	const uint8_t *at = half->small;
	uint32_t name = (uint32_t)at[0] << 8 | at[1];
	uint32_t value = (uint32_t)at[2] << 24 | (uint32_t)at[3] << 16 | (uint32_t)at[4] << 8 | at[5];

	switch (name) {
	case SETTING_TABLE:
		half->setting.table = value;
		break;
	case SETTING_FRAME_MAX:
		if (value < HTTP2_FRAME_MIN || value > 0xffffff) {
			http2_malformed(run);
			return;
		}
		half->setting.frame_max = value;
		break;
	case SETTING_LIST_MAX:
		half->setting.list_max = value;
		break;
	default:
		return;
	}
	half->setting.given |= (uint8_t)(1u << name);
}

static bool given(const struct http2_settings *settings, unsigned name)
{
	return settings->given >> name & 1;
}

static void change_table(struct http2_run *run, struct http2_codec *codec,
			 const struct http2_settings *settings)
{
	if (!given(settings, SETTING_TABLE))
		return;
	codec->resized = codec->limited = true;
	codec->limit = settings->table;
	if (!http2_late_feed(codec) ||
	    nghttp2_hd_inflate_change_table_size(codec->inflater, settings->table) != 0)
		http2_opaque(run, OPAQUE_TOO_LARGE);
}

/* These two are only limits of ours: who obeys them early, or late, does no wrong. */
static void announce_limits(struct http2_run *run)
{
	const struct http2_settings *setting = &run->half->setting;
	if (given(setting, SETTING_FRAME_MAX) && setting->frame_max > run->other->frame_limit)
		run->other->frame_limit = setting->frame_max;
	if (given(setting, SETTING_LIST_MAX))
		run->other->list_max = setting->list_max;
}

/* What a side announces binds the other from its acknowledgement on: until then it waits in the queue.
 * `acknowledger` changes what it sends to what the number-th SETTINGS of the other side say. */
static void apply(struct http2_run *run, enum protocol_half acknowledger, uint32_t number)
{
	struct http2_half *half = &run->state->half[acknowledger];
	struct http2_codec *codec = &run->state->heap->codec[acknowledger];
	const struct http2_codec *theirs =
		&run->state->heap->codec[acknowledger == HALF_REQUESTS ? HALF_RESPONSES : HALF_REQUESTS];
	const struct http2_settings *settings = &theirs->queue[number % HTTP2_SETTINGS_WAITING];

	if (given(settings, SETTING_FRAME_MAX))
		half->frame_max = settings->frame_max;
	if (number <= codec->applied)
		return;
	codec->applied = number;
	change_table(run, codec, settings);
}

void http2_settings_upgraded(struct http2_run *run, struct bytes payload)
{
	struct http2_half *half = run->half;

	half->setting = (struct http2_settings){0};
	for (; payload.len >= 6; payload = bytes_from(payload, 6)) {
		memcpy(half->small, payload.ptr, 6);
		http2_setting(run);
	}
	announce_limits(run);
	if (given(&half->setting, SETTING_FRAME_MAX))
		run->other->frame_max = half->setting.frame_max;
	change_table(run, &run->state->heap->codec[HALF_RESPONSES], &half->setting);
}

static void announced(struct http2_run *run)
{
	struct http2_half *half = run->half;
	int32_t waiting = (int32_t)(half->settings - run->other->acks);

	if (waiting >= HTTP2_SETTINGS_WAITING) {
		http2_opaque(run, OPAQUE_TOO_LARGE);
		return;
	}
	half->settings++;
	run->codec->queue[half->settings % HTTP2_SETTINGS_WAITING] = half->setting;
	announce_limits(run);
	if (waiting < 0)
		apply(run, run->requests ? HALF_RESPONSES : HALF_REQUESTS, half->settings);
}

/* One thread may read the acknowledgement while another, that wrote the SETTINGS, is not back from the
 * kernel. */
static void acknowledged(struct http2_run *run)
{
	struct http2_half *half = run->half;

	half->acks++;
	if ((int32_t)(half->acks - run->other->settings) > HTTP2_SETTINGS_WAITING)
		http2_malformed(run);
	else if ((int32_t)(half->acks - run->other->settings) <= 0)
		apply(run, run->requests ? HALF_REQUESTS : HALF_RESPONSES, half->acks);
}

void http2_settings_end(struct http2_run *run)
{
	if (run->half->flags & FLAG_ACK)
		acknowledged(run);
	else
		announced(run);
}

enum { ERROR_NONE = 0, ERROR_REFUSED = 7, ERROR_CANCEL = 8 };

static struct bytes error_name(uint32_t code)
{
	static const struct bytes names[] = {
		{"stream_reset", 12},        {"protocol_error", 14},    {"internal_error", 14},
		{"flow_control_error", 18},  {"settings_timeout", 16},  {"stream_closed", 13},
		{"frame_size_error", 16},    {"refused_stream", 14},    {"cancel", 6},
		{"compression_error", 17},   {"connect_error", 13},     {"enhance_your_calm", 17},
		{"inadequate_security", 19}, {"http_1_1_required", 17},
	};
	return names[code < sizeof(names) / sizeof(names[0]) ? code : 0];
}

/* `code`: of RST_STREAM, as a call's caller understands it. */
static void ends_early(struct http2_run *run, const struct http2_stream *stream, enum protocol_reset how,
		       struct bytes error, uint32_t code)
{
	struct protocol_event event = {
		.type = EVENT_RESET,
		.exchange = stream->id,
		.number = how,
		.offset = run->at,
		.value = error,
	};
	if (stream->call) {
		event.outcome = grpc_outcome(grpc_of_reset(code));
		event.late = code == ERROR_CANCEL ? grpc_outcome(GRPC_DEADLINE_EXCEEDED) : NULL;
	}
	http2_tell_event(run, &event);
}

void http2_reset(struct http2_run *run)
{
	struct http2_heap *heap = run->state->heap;
	uint32_t id = run->half->stream, code = run->half->number;
	bool cancelled = run->requests && (code == ERROR_NONE || code == ERROR_CANCEL);
	struct http2_stream *stream = http2_stream_find(heap, id);

	if (!stream)
		return;
	ends_early(run, stream, cancelled ? RESET_CANCELLED : RESET_FAILED, error_name(code),
		   cancelled ? ERROR_CANCEL : code);
	if (!run->requests) {
		http2_stream_close(heap, id);
	} else if (!stream->gone) {
		stream->gone = true;
		heap->gone++;
	}
}

/* The server will not look at streams above the one it names: their requests can be made anew elsewhere. */
void http2_goaway(struct http2_run *run)
{
	struct http2_heap *heap = run->state->heap;

	if (run->requests)
		return;
	for (uint32_t i = 0; i < HTTP2_STREAM_SLOTS;) {
		uint32_t id = heap->stream[i].id;
		if (id <= run->half->number) {
			i++;
			continue;
		}
		ends_early(run, &heap->stream[i], RESET_FAILED, BYTES("goaway"), ERROR_REFUSED);
		http2_stream_close(heap, id); /* another may move here */
	}
}
