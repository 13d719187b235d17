/* protocol_settings.h - what all protocols are told at start, and quick answers from it. */
#ifndef TAGALONG_PROTOCOL_SETTINGS_H
#define TAGALONG_PROTOCOL_SETTINGS_H

#include <stdint.h>

#include "preload/bytes.h"
#include "preload/protocol_event.h"

enum protocol_side { SIDE_SERVER, SIDE_CLIENT };
#define CAPTURE_IDENTITY 2

enum protocol_db_text { DB_TEXT_SANITIZED, DB_TEXT_RAW, DB_TEXT_OFF };

/* Set once at start, before any feed; read-only afterwards. Lists are arrays ended by a NONE item. */
struct protocol_settings {
	/* 0: not a carrier field; else its number, given back in FIELD. Must be fast for "host". */
	uint32_t (*carrier)(struct bytes name);
	/* [letter - 'a']: lengths that the name of a carrier field may have, see protocol_length_bit(). */
	const uint32_t *carrier_lengths;
	const struct bytes *known_methods; /* case-sensitive */
	/* [enum protocol_side], lower case header names; [CAPTURE_IDENTITY]: what identify() is to tell,
	 * likewise. */
	const struct bytes *capture_request[3];
	const struct bytes *capture_response[2];
	const struct bytes *redacted_query_keys;
	enum protocol_db_text db_text; /* of statements: literals replaced, as they are, or not at all */
	bool sqlcommenter;             /* a comment with the context goes into statements */
	/* Derived by protocol_settings_done(): [half][letter], lengths of the names that are carriers or to
	 * be captured. Most fields of a message are known to be neither by this alone. */
	uint32_t wanted[2][32];
	bool capturing;            /* any header at all */
	uint32_t redacted_lengths; /* of the keys in redacted_query_keys, see protocol_length_bit() */
};

extern struct protocol_settings protocol_settings; /* defined in preload/protocol.c */
void protocol_settings_done(void);                 /* after each change */

/* 1 to 26 for a name that begins with that letter, in either case; what else begins one shares a number. */
static inline unsigned protocol_letter(struct bytes name)
{
	return (unsigned char)name.ptr[0] & 31;
}

/* Bit n for a name of n bytes, bit 31 for longer ones. */
static inline uint32_t protocol_length_bit(struct bytes name)
{
	return 1u << (name.len < 31 ? name.len : 31);
}

/* May a field of this name (one byte at least) be a carrier or captured? No is certain. */
static inline bool protocol_wanted(enum protocol_half half, struct bytes name)
{
	return protocol_settings.wanted[half][protocol_letter(name)] & protocol_length_bit(name);
}

#endif
