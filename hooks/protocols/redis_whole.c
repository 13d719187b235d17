/* redis_whole.c - a command that stands whole in what is fed, as nearly every one does: read in one go, and
 * with the same outcome as argument by argument. */
#include "hooks/protocols/redis.h"

#define MOST 8 /* arguments; what has more is read one by one */

/* --- text ----------------------------------------------------------------------------------------------- */

/* Is one of eight bytes a control? */
static bool controls(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
	uint64_t no_del = word ^ 0x7f * ones;

	return (((word - ' ' * ones) & ~word) | ((no_del - ones) & ~no_del)) & high;
}

char *redis_copy(char *to, struct bytes from)
{
	const char *at = from.ptr, *end = at + from.len;

	while (at < end) {
		uint64_t word;
		if (end - at >= (ptrdiff_t)sizeof(word)) {
			memcpy(&word, at, sizeof(word));
			if (!controls(word)) {
				memcpy(to, &word, sizeof(word));
				at += sizeof(word);
				to += sizeof(word);
				continue;
			}
		}
		char c = *at++;
		*to++ = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
	}
	return to;
}

/* What is said of a command is never longer than the command itself. */
static char *say(char *to, const struct redis_command *command, const struct bytes *argument, uint32_t count)
{
	bool verb = command->keep == REDIS_VERB && count > 1 && redis_verb_told(command, argument[1]);

	to = redis_copy(to, redis_name_told(command, argument[0]));
	for (uint32_t i = 1; i < count && command->keep != REDIS_NONE; i++) {
		*to++ = ' ';
		if (redis_told(command, count, i) || (verb && i == 1))
			to = redis_copy(to, bytes_until(argument[i], REDIS_ARGUMENT));
		else
			*to++ = '?';
	}
	return to;
}

/* --- framing -------------------------------------------------------------------------------------------- */

/* "*3\r\n" or "$5\r\n": where it goes on, or NULL. */
static inline const char *number(const char *at, const char *end, char mark, uint32_t *number)
{
	uint32_t value = 0, digit;

	if (end - at < 4 || at[0] != mark || (unsigned char)(at[1] - '0') > 9)
		return NULL;
	for (at++; end - at >= 2 && (digit = (unsigned char)(*at - '0')) <= 9; at++) {
		value = value * 10 + digit;
		if (value > REDIS_TEXT)
			return NULL;
	}
	if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
		return NULL;
	*number = value;
	return at + 2;
}

/* Where it ends; NULL: it is not whole, or not for here. */
static const char *split(const char *at, const char *end, struct bytes *argument, uint32_t *count)
{
	uint32_t len;

	at = number(at, end, '*', count);
	if (!at || *count == 0 || *count > MOST)
		return NULL;
	for (uint32_t i = 0; i < *count; i++) {
		at = number(at, end, '$', &len);
		if (!at || end - at < (ptrdiff_t)len + 2 || at[len] != '\r' || at[len + 1] != '\n')
			return NULL;
		argument[i] = (struct bytes){at, len};
		at += len + 2;
	}
	return at;
}

bool redis_whole(struct redis_run *run)
{
	struct redis_state *state = run->state;
	struct redis_call *call = &state->call;
	struct bytes argument[MOST];
	uint32_t count;
	const char *from = run->in.ptr + run->at;
	const char *end = split(from, run->in.ptr + run->in.len, argument, &count);

	if (!end || argument[0].len - 1 >= REDIS_NAME || end - from > REDIS_TEXT - call->text)
		return false;
	const struct redis_command *command = redis_command_again(state->request.command, argument[0]);
	state->request.command = command;
	if (command->effect != REDIS_PLAIN || call->full)
		return false;
	if (!call->begun) {
		call->begun = true;
		redis_tell(run, EVENT_REQUEST_BEGIN, state->tail + 1, false);
	}
	struct redis_heap *heap = redis_heap(run);
	if (!heap)
		return true;
	char *to = heap->text + call->text;
	if (call->commands)
		to = redis_copy(to, BYTES("; "));
	call->text = (uint16_t)(say(to, command, argument, count) - heap->text);
	call->exec = false;
	redis_note_name(call, redis_name_told(command, argument[0]));
	call->commands++;
	run->at = (size_t)(end - run->in.ptr);
	if (run->sink->parts && run->sink->parts(run->sink, run->at))
		redis_call_ends(run);
	return true;
}
