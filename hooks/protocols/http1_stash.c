/* http1_stash.c - heads that are cut between two feeds: what is worth keeping lives in the stash.
 *
 * The stash is a row of records, then the unfinished line. What was stashed may be overwritten as soon as its
 * head is done: who feeds a copy of the state ahead keeps a copy of the stash as well. */
#include "hooks/protocols/http1.h"

/* What a text may take: never the last `reserve` bytes of the stash, so that what matters more still finds
 * room behind it, and at most `most` bytes. */
struct allowance {
	size_t reserve, most;
};

static const struct allowance for_names = {0, UINT16_MAX};
static const struct allowance for_framing = {320, UINT16_MAX};
static const struct allowance for_context = {640, 4096};
static const struct allowance for_targets = {1024, 2048};
static const struct allowance for_attributes = {1024, 1024};

struct record {
	uint16_t size; /* of what follows */
	uint16_t name_len;
	uint8_t field;
	bool captured;
};

void http1_stash_begin(struct http1_run *run)
{
	struct http1_half *half = run->half;

	half->from = run->requests ? 0 : HTTP1_REQUESTS_SHARE;
	half->limit = run->requests ? HTTP1_REQUESTS_SHARE : PROTOCOL_STASH_SIZE;
	half->used = half->from;
	half->open = 0;
}

static char *block(const struct http1_run *run)
{
	return run->sink->stash ? run->sink->stash->block : NULL;
}

static bool in_stash(const struct http1_run *run, struct bytes text)
{
	const char *start = block(run);
	return start && text.ptr >= start && text.ptr < start + PROTOCOL_STASH_SIZE;
}

char *http1_stash_open(const struct http1_run *run)
{
	return block(run) + run->half->used + sizeof(struct record);
}

bool http1_stash_load(struct http1_run *run)
{
	struct http1_half *half = run->half;
	uint16_t at = half->from;

	if (half->used == half->from && half->open == 0)
		return true;
	if (!block(run))
		return false;
	while (at < half->used) {
		struct record record;
		memcpy(&record, block(run) + at, sizeof(record));
		const char *text = block(run) + at + sizeof(record);
		struct bytes name = {text, record.name_len};
		struct bytes value = {text + record.name_len, (size_t)(record.size - record.name_len)};
		value = bytes_trim(value);
		if (record.field == HTTP1_START_LINE) {
			run->message.method = name;
			run->message.target = value;
		} else {
			http1_keep(&run->message, record.field, record.captured, name, value);
		}
		at = (uint16_t)(at + sizeof(record) + record.size);
	}
	return true;
}

static bool ensure(struct http1_run *run)
{
	struct protocol_stash *stash = run->sink->stash;
	if (!stash)
		return false;
	return stash->block || (stash->take && stash->take(stash));
}

static void append(struct http1_run *run, struct bytes text, struct allowance allowance)
{
	struct http1_half *half = run->half;
	size_t room = 0;

	if (text.len == 0)
		return;
	if (!ensure(run)) {
		half->overflow = true;
		return;
	}
	size_t taken = half->used + sizeof(struct record) + half->open + allowance.reserve;
	if (taken < half->limit && half->open < allowance.most)
		room = half->limit - taken;
	if (room > allowance.most - half->open)
		room = allowance.most - half->open;
	if (text.len > room) {
		half->overflow = true;
		text.len = room;
	}
	if (text.len)
		memcpy(http1_stash_open(run) + half->open, text.ptr, text.len);
	half->open = (uint16_t)(half->open + text.len);
}

void http1_stash_append(struct http1_run *run, struct bytes text)
{
	const struct http1_half *half = run->half;

	if (half->phase == PHASE_NAME)
		append(run, text, for_names);
	else if (half->phase == PHASE_LINE)
		append(run, text, for_targets);
	else if (half->field >= HTTP1_CONTENT_LENGTH && half->field <= HTTP1_UPGRADE)
		append(run, text, for_framing);
	else if (half->carrier)
		append(run, text, for_context);
	else
		append(run, text, for_attributes);
}

void http1_stash_commit(struct http1_run *run, enum http1_field field, bool captured, bool keep)
{
	struct http1_half *half = run->half;
	struct record record = {half->open, half->name_len, (uint8_t)field, captured};

	if (half->open == 0)
		return;
	if (!keep) {
		record.field = HTTP1_OTHER;
		record.captured = false;
	}
	memcpy(block(run) + half->used, &record, sizeof(record));
	uint16_t before = half->used;
	half->used = (uint16_t)(half->used + sizeof(record) + half->open);
	half->open = 0;
	if (!keep) {
		run->spare_from = before;
		run->spare_to = half->used;
	}
}

/* One record from text in this feed; cut when there is no room. */
static bool save(struct http1_run *run, enum http1_field field, bool captured, struct bytes name,
		 struct bytes value)
{
	struct http1_half *half = run->half;
	struct allowance allowance = field == HTTP1_START_LINE ? for_targets : for_attributes;
	size_t need = sizeof(struct record) + name.len + allowance.reserve, room = half->limit - half->used;

	if (in_stash(run, value.ptr ? value : name))
		return true;
	if (!ensure(run))
		return false;
	if (room <= need) {
		half->cut++;
		return true;
	}
	room = room - need < allowance.most ? room - need : allowance.most;
	if (value.len > room) {
		value.len = room;
		half->cut++;
	}
	struct record record = {(uint16_t)(name.len + value.len), (uint16_t)name.len, (uint8_t)field,
				captured};
	char *at = block(run) + half->used;
	memcpy(at, &record, sizeof(record));
	if (name.ptr && name.len)
		memcpy(at + sizeof(record), name.ptr, name.len);
	if (value.ptr && value.len)
		memcpy(at + sizeof(record) + name.len, value.ptr, value.len);
	half->used = (uint16_t)(half->used + sizeof(record) + name.len + value.len);
	return true;
}

static bool save_message(struct http1_run *run)
{
	struct http_message *m = &run->message;
	const struct {
		enum http1_field field;
		const struct bytes *value;
	} known[] = {
		{HTTP1_HOST, &m->host},
		{HTTP1_FORWARDED, &m->forwarded},
		{HTTP1_FORWARDED_PROTO, &m->forwarded_proto},
		{HTTP1_FORWARDED_HOST, &m->forwarded_host},
		{HTTP1_FORWARDED_FOR, &m->forwarded_for},
		{HTTP1_LOCATION, &m->location},
		{HTTP1_CONTENT_TYPE, &m->content_type},
		{HTTP1_CONNECT_VERSION, &m->connect_version},
		{HTTP1_GRPC_STATUS, &m->grpc_status},
		{HTTP1_USER_AGENT, &m->user_agent},
	};

	bool saved = true;

	if (m->method.len && run->requests && run->half->step > STEP_TARGET)
		saved = save(run, HTTP1_START_LINE, false, m->method, m->target);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && saved; i++)
		if (known[i].value->ptr)
			saved = save(run, known[i].field, false, BYTES_NONE, *known[i].value);
	for (size_t i = 0; i < m->captures && saved; i++)
		saved = save(run, HTTP1_OTHER, true, m->captured[i].name, m->captured[i].value);
	return saved;
}

bool http1_stash_save(struct http1_run *run)
{
	struct http1_half *half = run->half;
	bool in_line = half->phase == PHASE_NAME || half->phase == PHASE_VALUE ||
		       (half->phase == PHASE_LINE && run->requests && half->step < STEP_VERSION);

	if (half->open == 0 && !save_message(run))
		return false;
	if (half->phase == PHASE_LINE)
		run->stop = run->in.len;
	if (in_line) {
		if (!ensure(run))
			return false;
		if (half->phase == PHASE_VALUE && half->open == 0) {
			append(run, run->name, for_names);
			if (half->overflow)
				return false;
		}
		if (half->phase != PHASE_VALUE || half->begun)
			http1_stash_append(run,
					   (struct bytes){run->in.ptr + run->mark, run->stop - run->mark});
		if (half->overflow && half->phase == PHASE_NAME)
			return false; /* a name that cannot be told */
	}
	/* Still lent to the sink during the feed, and the last thing here: its room is free from the next on.
	 */
	if (run->spare_to && run->spare_to == half->used && half->open == 0)
		half->used = run->spare_from;
	return true;
}
