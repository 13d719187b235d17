/* http1_again.c - field lines that a head begins with as the one before did: not read a second time.
 *
 * What a half says about framing and for the span after its first lines is a function of their bytes alone.
 * Both are kept, as far as there is room, up to a line of context, which is told anew each time; where a head
 * begins with the same bytes, what they said is put in place of reading them. */
#include "hooks/protocols/http1.h"

/* From `dull` to `h2c`: what lines of fields change in a half, besides `left` and the settings. */
#define FLAGS_AT offsetof(struct http1_half, dull)
#define FLAGS_SIZE (offsetof(struct http1_half, h2c) + 1 - FLAGS_AT)
#define FIELDS (HTTP1_LAST_OF_MESSAGE - HTTP1_HOST + 1)

struct again {
	uint16_t len;
	uint8_t misses, kept;
	bool full; /* there would have been more, of context or for which there is no room */
	char flags[FLAGS_SIZE];
	uint32_t serial; /* of what is kept; never 0 */
	uint64_t left;
	struct {
		uint16_t slot, at, len;
	} field[FIELDS];
	char text[HTTP1_AGAIN_MAX];
};

_Static_assert(sizeof(struct again) <= PROTOCOL_NOTES_SIZE, "fits");
_Static_assert(FLAGS_SIZE == 11, "nothing came between them");

static struct again *notes(const struct http1_run *run)
{
	char(*notes)[PROTOCOL_NOTES_SIZE] = run->sink->notes;
	if (!notes || protocol_settings.capturing)
		return NULL;
	return (struct again *)(void *)notes[run->requests ? HALF_REQUESTS : HALF_RESPONSES];
}

/* Again is it read at times, to keep what comes now, or more of it. */
static bool tired(struct again *again, unsigned most)
{
	return again->len == 0 || ++again->misses % most == 0;
}

bool http1_again_take(struct http1_run *run)
{
	struct again *again = notes(run);
	struct http1_half *half = run->half;
	const char *text = run->in.ptr + run->at;
	size_t here = run->in.len - run->at;

	if (!again)
		return false;
	if (again->len == 0 || again->len > here || again->len > HTTP1_HEAD_MAX - half->head ||
	    memcmp(text, again->text, again->len) != 0)
		return tired(again, 4);
	memcpy((char *)half + FLAGS_AT, again->flags, FLAGS_SIZE);
	half->left = again->left;
	for (unsigned i = 0; i < again->kept; i++)
		*(struct bytes *)(void *)((char *)&run->message + again->field[i].slot) =
			(struct bytes){text + again->field[i].at, again->field[i].len};
	run->message.same = again->serial << 4;
	half->head += again->len;
	run->at += again->len;
	return here > again->len && text[again->len] != '\r' && tired(again, again->full ? 64 : 4);
}

void http1_again_keep(struct http1_run *run, size_t from, size_t to, bool full)
{
	struct again *again = notes(run);
	const char *text = run->in.ptr + from;

	if (to == from || to - from > HTTP1_AGAIN_MAX || run->half->settings_len != HTTP1_SETTINGS_NONE)
		return;
	again->len = (uint16_t)(to - from);
	again->kept = again->misses = 0;
	again->full = full;
	again->serial = again->serial + 1 < 1u << 28 ? again->serial + 1 : 1;
	memcpy(again->text, text, again->len);
	memcpy(again->flags, (const char *)run->half + FLAGS_AT, FLAGS_SIZE);
	again->left = run->half->left;
	for (unsigned field = HTTP1_HOST; field <= HTTP1_LAST_OF_MESSAGE; field++) {
		const struct bytes *slot = http1_slot(&run->message, field);
		if (!slot->ptr)
			continue;
		again->field[again->kept].slot = (uint16_t)((const char *)slot - (const char *)&run->message);
		again->field[again->kept].at = (uint16_t)(slot->ptr - text);
		again->field[again->kept++].len = (uint16_t)slot->len;
	}
}
