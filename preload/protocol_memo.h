/* protocol_memo.h - attributes that the messages of a connection have in common, kept as they were encoded.
 *
 * What they say is a function of a few texts of the message and of what never changes in a connection: as
 * long as those texts come again, byte for byte, the same bytes are put at once. One writer at a time;
 * nothing here allocates or reads anything but its arguments. */
#ifndef TAGALONG_PROTOCOL_MEMO_H
#define TAGALONG_PROTOCOL_MEMO_H

#include "preload/attrs.h"

#define MEMO_TEXTS 5

/* What a protocol notes down of the bytes of a half, so as not to read the same ones again. Zeroes at first,
 * never copied nor put back: what stands there must be true whatever is fed. */
#define PROTOCOL_NOTES_SIZE 352

struct protocol_memo {
	uint16_t len;   /* of attrs[]; 0: nothing is kept, and the rest means nothing */
	uint16_t count; /* of attributes */
	uint16_t text_len[MEMO_TEXTS];
	uint32_t serial; /* the protocol's: it says by this that its texts are those; 0: nobody says so */
	char texts[296]; /* one after the other */
	uint8_t attrs[448];
};

/* Puts what is kept for these texts. False: nothing was put. */
bool protocol_memo_put(const struct protocol_memo *memo, const struct bytes texts[MEMO_TEXTS],
		       struct attrs *attrs);
/* The same, if they are said to be these texts: serial, which is not 0, was set when they were. */
bool protocol_memo_put_same(const struct protocol_memo *memo, uint32_t serial, struct attrs *attrs);
/* What came to `attrs` since `before` is what these texts say; if it is whole and fits, it is kept. */
void protocol_memo_keep(struct protocol_memo *memo, const struct bytes texts[MEMO_TEXTS],
			const struct attrs *before, const struct attrs *attrs);

#endif
