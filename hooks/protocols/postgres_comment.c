/* postgres_comment.c - the trace's context as a comment at the end of a simple query, when that is asked for.
 *
 * Never in a statement that is prepared, or that defines something and would keep it. All that decides is
 * known from the statement itself, however it is cut, so that what was begun is gone on with. */
#include "hooks/protocols/postgres_comment.h"
#include "hooks/protocols/sql_comment.h"

#define COMMENTED_MAX (64 * 1024)

/* Behind the statement stand `tail` semicolons and blanks, and its NUL. */
static bool is_blank(char c)
{
	return c == ';' || c == ' ' || (c >= '\t' && c <= '\r');
}

void postgres_comment_text(struct postgres_stash *kept, struct bytes piece)
{
	size_t tail = 0;

	while (tail < piece.len && tail < UINT8_MAX && is_blank(piece.ptr[piece.len - 1 - tail]))
		tail++;
	if (tail == piece.len)
		tail += kept->tail;
	kept->tail = tail < UINT8_MAX ? (uint8_t)tail : UINT8_MAX;
}

void postgres_comment_judge(struct postgres_stash *kept, const struct sql_text_result *result)
{
	kept->commentable = result->statements == 1 && !result->doubtful && !result->open &&
			    !result->commented && kept->tail < UINT8_MAX &&
			    sql_comment_wanted(result->summary);
}

void postgres_comment_offer(struct postgres_run *run, size_t nul)
{
	const struct postgres_requests *asks = postgres_asks(run);
	const struct postgres_stash *kept = postgres_stash(run);

	if (!protocol_settings.sqlcommenter || !kept || !kept->commentable || asks->frame.left ||
	    nul + 1 != run->at || kept->tail > nul || asks->scanned > COMMENTED_MAX)
		return;
	struct protocol_event event = {
		.type = EVENT_INSERT, .exchange = asks->exchange, .offset = nul - kept->tail};
	run->sink->event(run->sink, &event);
}

int postgres_comment_insert(const void *opaque, struct bytes lines, char *room, size_t size,
			    struct protocol_edit edit[PROTOCOL_EDITS])
{
	const struct postgres_state *state = opaque;
	struct postgres_run *run = state->run;
	const struct postgres_stash *kept = run ? postgres_stash(run) : NULL;
	const size_t length_bytes = 4;

	if (!kept || size <= length_bytes)
		return 0;
	size_t len = sql_comment_lines(lines, room + length_bytes, size - length_bytes);
	if (len == 0)
		return 0;
	uint32_t length = postgres_number(state->requests.frame.head + 1);
	for (size_t i = 0; i < length_bytes; i++)
		room[i] = (char)((length + len) >> (24 - 8 * i));
	edit[0] = (struct protocol_edit){(ptrdiff_t)run->at - (ptrdiff_t)length, true, {room, length_bytes}};
	edit[1] = (struct protocol_edit){
		(ptrdiff_t)run->at - 1 - kept->tail, false, {room + length_bytes, len}};
	return 2;
}
