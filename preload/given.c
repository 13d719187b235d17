/* given.c - commands that wait in a client library, and who gave them; see given.h. */
#include "preload/given.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/conn_internal.h"
#include "preload/counters.h"
#include "preload/loop.h"
#include "preload/pool.h"
#include "preload/sys.h"

#define PROBES 8
#define DEPTH ((uintptr_t)1 << 18) /* bytes of stack that a library is believed to use for a write */

struct command {
	uint64_t end;   /* in the bytes of the handle */
	span_ref asker; /* in whose `calls` it is counted */
	struct activity_verdict whose;
	/* The activity's: it may be over when the command goes out. */
	uint8_t trace_id[16], span_id[8];
	uint8_t flags;
};

/* Under way for one handle: in a block, and where that is too small in a wide one. */
#define FEW 128
#define MANY 1024
_Static_assert(FEW * sizeof(struct command) <= BLOCK_SIZE && MANY * sizeof(struct command) <= WIDE_SIZE,
	       "commands");

struct given {
	_Atomic uintptr_t handle; /* 0: free */
	struct command *ring;
	uint32_t room;
	bool apart;
	bool astray;         /* which reply is whose is not known */
	bool blind;          /* nor which byte */
	bool followed;       /* the wire has asked, and counts what is sent */
	_Atomic bool unseen; /* something was given that is not known */
	uint64_t bytes, sent;
	uint64_t first, last; /* commands: delivered, given */
	uint64_t hint;        /* where was found what was looked for last */
};

static struct given *slots;
static uint32_t slot_mask;

static uint32_t places_for(uint32_t most)
{
	uint32_t count = 64;
	while (count < most && count < 1u << 16)
		count *= 2;
	return count;
}

size_t given_memory(uint32_t most)
{
	return places_for(most) * sizeof(*slots);
}

bool given_init(uint32_t most)
{
	uint32_t count = places_for(most);
	slots = sys_map(count * sizeof(*slots));
	slot_mask = count - 1;
	return slots != NULL;
}

/* --- handles
 * ---------------------------------------------------------------------------------------------------------
 */

static uint32_t place_of(const void *handle)
{
	return (uint32_t)(((uintptr_t)handle * 0x9e3779b97f4a7c15u) >> 40);
}

struct given *given_get(const void *handle)
{
	uint32_t at = place_of(handle);
	if (!handle || !slots)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct given *slot = &slots[(at + i) & slot_mask];
		if (atomic_load_explicit(&slot->handle, memory_order_acquire) == (uintptr_t)handle)
			return slot;
	}
	return NULL;
}

static struct command *command_at(const struct given *given, uint64_t number)
{
	return &given->ring[number & (given->room - 1)];
}

static void give_ring(struct given *given)
{
	if (given->room == MANY)
		wide_give((char *)given->ring);
	else
		block_give((char *)given->ring);
	given->ring = NULL;
	given->room = 0;
}

/* What is under way is nobody's business any more. */
static void forget(struct given *given)
{
	for (uint64_t i = given->first; !given->blind && i < given->last; i++)
		loop_uncount(&command_at(given, i)->asker);
	give_ring(given);
}

struct given *given_open(const void *handle)
{
	uint32_t at = place_of(handle);
	for (uint32_t i = 0; handle && slots && i < PROBES; i++) {
		struct given *slot = &slots[(at + i) & slot_mask];
		uintptr_t none = 0;
		/* One thread has the handle: nobody else looks for it, so the rest may follow. */
		if (atomic_load_explicit(&slot->handle, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&slot->handle, &none, (uintptr_t)handle)) {
			slot->apart = slot->astray = slot->blind = slot->followed = false;
			atomic_store_explicit(&slot->unseen, false, memory_order_relaxed);
			slot->bytes = slot->sent = slot->first = slot->last = slot->hint = 0;
			return slot;
		}
	}
	if (handle && slots)
		count_one(handles_no_slot);
	return NULL;
}

void given_close(struct given *given)
{
	forget(given);
	atomic_store_explicit(&given->handle, 0, memory_order_release);
}

/* --- what the program gives
 * ------------------------------------------------------------------------------------------
 */

static void lose(struct given *given)
{
	if (given->blind)
		return;
	forget(given);
	given->blind = true;
	count_one(handles_lost);
}

static bool grow(struct given *given)
{
	if (given->room == 0) {
		given->ring = (struct command *)(void *)block_take();
		given->room = given->ring ? FEW : 0;
		return given->ring != NULL;
	}
	struct command *wide = given->room == FEW ? (struct command *)(void *)wide_take() : NULL;
	if (!wide)
		return false;
	for (uint64_t i = given->first; i < given->last; i++)
		wide[i & (MANY - 1)] = *command_at(given, i);
	give_ring(given);
	given->ring = wide;
	given->room = MANY;
	return true;
}

static void note_parent(struct command *command)
{
	const struct span *span = span_of(command->whose.activity);
	if (!span)
		return;
	memcpy(command->trace_id, span->context.trace_id, sizeof(command->trace_id));
	memcpy(command->span_id, span->context.span_id, sizeof(command->span_id));
	command->flags = span->context.flags;
	if (!span_alive(command->whose.activity))
		command->whose.activity = SPAN_NOBODY;
}

/* As for a call that begins on the wire now: counted before it is judged. */
static void note_giver(struct command *command, bool counted)
{
	span_ref asker = activity_window();

	command->asker = SPAN_NOBODY;
	command->whose = (struct activity_verdict){.ambiguous = AMBIGUOUS_TIMER};
	if (!loop_is_timers(asker)) {
		if (counted)
			command->asker = loop_count(asker);
		command->whose = activity_for_transfer();
	}
	note_parent(command);
}

static void go_astray(struct given *given)
{
	given->astray = true;
	for (uint64_t i = given->first; !given->blind && i < given->last; i++)
		loop_uncount(&command_at(given, i)->asker);
}

/* Of a handle that went astray commands are forgotten once they are sent, for it cannot say more of them. */
static void drop_sent(struct given *given)
{
	while (!given->blind && given->first < given->last &&
	       command_at(given, given->first)->end <= given->sent)
		given->first++;
}

void given_hand_over(struct given *given, size_t bytes, bool whole)
{
	if (!whole && !given->astray)
		go_astray(given);
	if (given->astray)
		drop_sent(given);
	given->bytes += bytes;
	if (!given->blind && given->last - given->first == given->room && !grow(given))
		lose(given);
	if (!given->blind) {
		struct command *command = command_at(given, given->last);
		command->end = given->bytes;
		note_giver(command, !given->astray);
	}
	given->last++;
}

/* Everything is answered that a blind one was given: it may begin anew. */
static void see_again(struct given *given)
{
	if (given->blind && given->sent == given->bytes && (given->astray || given->first == given->last)) {
		given->first = given->last;
		given->hint = given->last;
		given->blind = false;
	}
}

void given_unseen(struct given *given)
{
	atomic_store(&given->unseen, true);
}

void given_sent_all(struct given *given)
{
	if (atomic_load_explicit(&given->unseen, memory_order_relaxed) ||
	    (given->followed && given->sent != given->bytes))
		lose(given);
	atomic_store_explicit(&given->unseen, false, memory_order_relaxed);
	given->followed = false;
	given->sent = given->bytes;
	see_again(given);
}

void given_apart(struct given *given)
{
	given->apart = true;
}

void given_delivered(struct given *given)
{
	if (given->astray)
		return;
	if (given->first == given->last) { /* more replies than commands */
		given->astray = true;
		return;
	}
	if (given->blind) {
		given->first++;
		see_again(given);
		activity_read_answer(NULL, SPAN_NOBODY);
		return;
	}
	struct command *command = command_at(given, given->first++);
	span_ref asker = command->asker;
	loop_uncount(&command->asker);
	if (command->whose.activity == SPAN_NOBODY && asker != SPAN_NOBODY)
		activity_read_doubtful(NULL, asker);
	else
		activity_read_answer(NULL, command->whose.activity);
}

/* --- what the connection asks
 * ---------------------------------------------------------------------------------------
 */

struct given *given_within(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	if (__builtin_expect(thread.given == NULL, 1))
		return NULL;
	/* Otherwise it was left by a longjmp. */
	return here <= thread.given_frame && thread.given_frame - here < DEPTH ? thread.given : NULL;
}

/* The command that has this byte; NULL: nobody knows. */
static const struct command *find(struct given *given, uint64_t byte)
{
	uint64_t at = given->hint;
	if (given->blind || given->first == given->last ||
	    atomic_load_explicit(&given->unseen, memory_order_relaxed))
		return NULL;
	if (at <= given->first || at >= given->last || command_at(given, at - 1)->end > byte)
		at = given->first;
	while (at < given->last && command_at(given, at)->end <= byte)
		at++;
	given->hint = at;
	return at < given->last ? command_at(given, at) : NULL;
}

static bool same_giver(const struct command *one, const struct command *other)
{
	return one->whose.activity == other->whose.activity &&
	       !one->whose.ambiguous == !other->whose.ambiguous && one->whose.process == other->whose.process;
}

bool given_parts(struct given *given, uint64_t at)
{
	const struct command *ended = find(given, given->sent + at - 1);
	if (!ended || given->apart)
		return true;
	if (ended->end != given->sent + at) /* several that were given as one */
		return false;
	const struct command *next = find(given, given->sent + at);
	return next && !same_giver(ended, next);
}

static void adopt_over(struct span *span, const struct command *command)
{
	struct context parent = {.valid = true, .flags = command->flags};
	memcpy(parent.trace_id, command->trace_id, sizeof(parent.trace_id));
	memcpy(parent.span_id, command->span_id, sizeof(parent.span_id));
	span->evidence = command->whose.evidence;
	span_identify(span, &parent);
}

void given_adopt(struct given *given, uint64_t at, struct span *span)
{
	static const struct activity_verdict unknown = {.ambiguous = AMBIGUOUS_LIBRARY};
	const struct command *command = at ? find(given, given->sent + at - 1) : NULL;
	const struct activity_verdict *whose = command ? &command->whose : &unknown;

	if (whose->activity == SPAN_NOBODY || span_alive(whose->activity))
		exchange_adopt(span, whose);
	else
		adopt_over(span, command);
}

void given_sent(struct given *given, size_t bytes)
{
	given->sent += bytes;
	given->followed = true;
}

bool given_delivers(const struct given *given)
{
	return !given->astray;
}
