/* correlate_request.c - a request as a whole as a value of 16 bytes: SipHash-2-4-128 of its parts. */
#include "preload/correlate.h"

#include <string.h>

#include "preload/counters.h"
#include "preload/protocol.h"

#define DIGEST 16

struct sip {
	uint64_t v[4];
	uint64_t words;
};

static uint64_t secret[2];

void correlate_key(const uint64_t key[2])
{
	memcpy(secret, key, sizeof(secret));
}

static inline uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int count)
{
	for (; count > 0; count--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void sip_begin(struct sip *sip)
{
	*sip = (struct sip){
		.v = {secret[0] ^ 0x736f6d6570736575u, secret[1] ^ 0x646f72616e646f6du ^ 0xee,
		      secret[0] ^ 0x6c7967656e657261u, secret[1] ^ 0x7465646279746573u},
	};
}

static void sip_word(struct sip *sip, uint64_t word)
{
	sip->v[3] ^= word;
	rounds(sip->v, 2);
	sip->v[0] ^= word;
	sip->words++;
}

/* Of what was put in so far; more may follow. */
static void sip_digest(const struct sip *sip, char out[DIGEST])
{
	struct sip end = *sip;
	uint64_t half[2];

	sip_word(&end, sip->words << 59); /* the length in bytes, modulo 256 */
	end.v[2] ^= 0xee;
	rounds(end.v, 4);
	half[0] = end.v[0] ^ end.v[1] ^ end.v[2] ^ end.v[3];
	end.v[1] ^= 0xdd;
	rounds(end.v, 4);
	half[1] = end.v[0] ^ end.v[1] ^ end.v[2] ^ end.v[3];
	memcpy(out, half, sizeof(half));
}

/* A request under the hash. */
struct whole {
	struct protocol_identity to; /* first: the protocol knows only this */
	struct sip sip;
	bool withheld;     /* it has something that proxies may keep to themselves */
	char all[DIGEST];  /* of all */
	char bare[DIGEST]; /* of what such a one passes on */
	char line[DIGEST]; /* of method and target */
};

/* Number and length in front: no two rows of parts are the same words. */
static void add(struct protocol_identity *to, enum protocol_part part, struct bytes text)
{
	struct whole *whole = (struct whole *)(void *)to;
	uint64_t word;

	if (part == PART_WITHHELD && !whole->withheld) {
		sip_digest(&whole->sip, whole->bare);
		whole->withheld = true;
	}
	sip_word(&whole->sip, (uint64_t)part << 56 | text.len);
	for (; text.len >= sizeof(word);
	     text = (struct bytes){text.ptr + sizeof(word), text.len - sizeof(word)}) {
		memcpy(&word, text.ptr, sizeof(word));
		sip_word(&whole->sip, word);
	}
	if (text.len) {
		word = 0;
		memcpy(&word, text.ptr, text.len);
		sip_word(&whole->sip, word);
	}
	if (part == PART_TARGET)
		sip_digest(&whole->sip, whole->line);
}

static enum protocol_identified identify(struct whole *whole, const struct protocol *protocol,
					 const void *state)
{
	whole->to.part = add;
	whole->withheld = false;
	sip_begin(&whole->sip);
	enum protocol_identified known =
		protocol->identify ? protocol->identify(state, &whole->to) : IDENTIFIED_NOT;
	if (known == IDENTIFIED)
		sip_digest(&whole->sip, whole->all);
	if (known > IDENTIFIED)
		count_one(requests_unidentified);
	return known;
}

static struct bytes digest(const char *text)
{
	return (struct bytes){text, DIGEST};
}

/* As DOUBT stands what calls of this request may look like beside what it looks like itself. */
void correlate_note_request(struct span *span, const struct protocol *protocol, const void *state)
{
	struct whole whole;

	switch (identify(&whole, protocol, state)) {
	case IDENTIFIED:
		correlate_note(span, CORRELATE_WHOLE, digest(whole.all));
		if (whole.withheld)
			correlate_note(span, CORRELATE_DOUBT, digest(whole.bare));
		break;
	case IDENTIFIED_IN_PART:
		correlate_note(span, CORRELATE_DOUBT, digest(whole.line));
		break;
	case IDENTIFIED_LOST: /* finds no place */
		correlate_note(span, CORRELATE_DOUBT, BYTES_NONE);
		break;
	case IDENTIFIED_NOT:
		break;
	}
}

static bool doubted(const char *value)
{
	struct correlated doubt = {SPAN_NOBODY, CORRELATES_NOT};
	correlate_ask(&doubt, CORRELATE_DOUBT, digest(value));
	return doubt.found != CORRELATES_NOT;
}

void correlate_ask_request(struct correlated *answer, const struct protocol *protocol, const void *state)
{
	struct whole whole;
	struct correlated found = {SPAN_NOBODY, CORRELATES_NOT};

	if (identify(&whole, protocol, state) != IDENTIFIED)
		return;
	correlate_ask(&found, CORRELATE_WHOLE, digest(whole.all));
	if (found.found != CORRELATES_MANY && (doubted(whole.all) || doubted(whole.line)))
		found.found = CORRELATES_MANY;
	if (answer->found == CORRELATES_NOT)
		*answer = found;
	else if (found.found == CORRELATES_ONE && found.with != answer->with)
		answer->found = CORRELATES_MANY;
}
