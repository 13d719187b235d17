/* protocol_memory.h - what a protocol may have besides its state: a stash and an arena, see protocol.h. */
#ifndef TAGALONG_PROTOCOL_MEMORY_H
#define TAGALONG_PROTOCOL_MEMORY_H

#include <stdbool.h>

#define PROTOCOL_STASH_SIZE 8192 /* bytes of one stash block */
#define PROTOCOL_ARENA_SIZE (352 * 1024)
#define PROTOCOL_LITTLE_ARENA (17 * 1024)

/* A block for what must outlive a feed. The connection provides `take`; the protocol calls it at most
 * once per head when `block` is NULL and sets nothing else; the connection frees the block after the
 * exchange's head event, or with the connection. take() answers NULL when the budget is used up. `keep`, set
 * during a feed: not before the next one, whatever is under way. */
struct protocol_stash {
	char *block;
	bool keep;
	char *(*take)(struct protocol_stash *stash);
};

/* The arena: PROTOCOL_ARENA_SIZE bytes aligned to 64, contents undefined, of which only what is touched costs
 * anything. take() answers the same one again when it was taken already, NULL when the budget is used up. The
 * connection gives it back, with all that is in it, at its end, after OPAQUE, and wherever at_rest() says
 * that nothing in it is needed; nothing in it may need closing. Between two feeds it may also go to another
 * connection, if fold() can: then `folded` is set, and take() answers another one when unfold() has been
 * there, or NULL. */
struct protocol_arena {
	char *base;
	bool little; /* set before take(): PROTOCOL_LITTLE_ARENA bytes will do, of which there are more */
	bool folded; /* `base` is a little one with what fold() left */
	bool used;   /* since somebody else last asked for it */
	char *(*take)(struct protocol_arena *arena);
};

#endif
