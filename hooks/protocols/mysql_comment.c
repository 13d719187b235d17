/* mysql_comment.c - the trace's context as a comment at the end of a COM_QUERY, when that is asked for.
 *
 * Never in a statement that is prepared, compressed, or long enough to come near a server's limit. All that
 * decides is known from the statement itself, however it is cut, so that what was begun is gone on with. */
#include "hooks/protocols/mysql_statement.h"
#include "hooks/protocols/sql_comment.h"

#define COMMENTED_MAX (64 * 1024)
#define HEADER 4

void mysql_comment_offer(struct mysql_run *run)
{
	const struct mysql_half *half = run->half;
	/* The comment is never the last thing sent: with nothing behind the statement its last byte comes
	 * along, and the comment's own last one takes that byte's place. */
	size_t behind = run->tail ? run->tail : 1;

	if (half->zipped || half->length > COMMENTED_MAX || behind > run->at)
		return;
	struct protocol_event event = {
		.type = EVENT_INSERT, .exchange = run->state->begun, .offset = run->at - behind};
	run->sink->event(run->sink, &event);
}

int mysql_comment_insert(const void *opaque, struct bytes lines, char *room, size_t size,
			 struct protocol_edit edit[PROTOCOL_EDITS])
{
	const struct mysql_state *state = opaque;
	const struct mysql_run *run = state->run;
	const size_t length_bytes = 3;

	if (!run || !run->commentable || size <= HEADER)
		return 0;
	size_t len = sql_comment_lines(lines, room + HEADER, size - HEADER);
	if (len == 0)
		return 0;
	const ptrdiff_t end = (ptrdiff_t)run->at;
	const size_t length = run->half->length + len;
	bool bare = run->tail == 0;

	if (bare) /* and behind it the comment, all but its last byte, which stands alone */
		room[length_bytes] = run->in.ptr[end - 1];
	else
		memmove(room + length_bytes, room + HEADER, len);
	for (size_t i = 0; i < length_bytes; i++)
		room[i] = (char)(length >> (8 * i));
	edit[0] = (struct protocol_edit){
		end - (ptrdiff_t)run->half->length - HEADER, true, {room, length_bytes}};
	edit[1] = (struct protocol_edit){
		end - (bare ? 1 : (ptrdiff_t)run->tail), false, {room + length_bytes, len}};
	if (bare)
		edit[2] = (struct protocol_edit){end - 1, true, {room + length_bytes + len, 1}};
	return bare ? 3 : 2;
}
