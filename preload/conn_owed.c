/* conn_owed.c - what a connection owes its stream.
 *
 * A write may end in the middle of an edit: what is left of it must go out with the next ones, whatever has
 * become of the connection by then. While it is followed its parser comes by the place again; when it is
 * given up in between, the rest of the edit stands here, as copies: the span that it was written in is gone.
 */
#include "preload/conn_internal.h"

#include <string.h>

#define OWED_MOST (PROTOCOL_EDITS + 1)

struct owed {
	int count;
	uint16_t used; /* of text */
	struct {
		size_t offset; /* in the caller's bytes to come */
		uint16_t from, len;
		bool replaces;
	} edit[OWED_MOST];
	char text[BLOCK_SIZE - 256];
};

_Static_assert(sizeof(struct owed) <= BLOCK_SIZE, "one block");

static struct owed *owed_of(const struct conn *conn)
{
	return (struct owed *)(void *)conn->owed;
}

static void add(struct conn *conn, size_t offset, bool replaces, struct bytes text)
{
	if (!text.ptr || text.len == 0)
		return;
	if (!conn->owed) {
		conn->owed = block_take();
		if (!conn->owed) {
			count_one(edits_torn);
			return;
		}
		owed_of(conn)->count = 0;
		owed_of(conn)->used = 0;
	}
	struct owed *owed = owed_of(conn);
	if (owed->count == OWED_MOST || text.len > sizeof(owed->text) - owed->used) {
		count_one(edits_torn);
		return;
	}
	memcpy(owed->text + owed->used, text.ptr, text.len);
	owed->edit[owed->count].offset = offset;
	owed->edit[owed->count].from = owed->used;
	owed->edit[owed->count].len = (uint16_t)text.len;
	owed->edit[owed->count++].replaces = replaces;
	owed->used = (uint16_t)(owed->used + text.len);
}

void owed_drop(struct conn *conn)
{
	block_give(conn->owed);
	conn->owed = NULL;
}

void owed_by_span(struct conn *conn)
{
	const struct span *span = exchange_last(conn);

	if (conn->owed || conn->role != ROLE_CLIENT)
		return;
	if (conn->over_left)
		add(conn, 0, true,
		    (struct bytes){conn->over + sizeof(conn->over) - conn->over_left, conn->over_left});
	else if (span && span->kind == SPAN_CLIENT && span->inject && !span->framed && !span->passed_on &&
		 span->inject_sent > 0 && span->inject_sent < span->inject_len)
		add(conn, 0, false,
		    (struct bytes){span->inject + span->inject_sent, span->inject_len - span->inject_sent});
}

void owed_by_write(struct outgoing *out, size_t sent)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	size_t callers = outgoing_callers(out, sent);
	uint32_t begun = 0; /* the span of which an edit has gone, in part at least */
	bool any = false;

	owed_drop(out->conn);
	while (outgoing_next(&runs, &run)) {
		const struct outgoing_edit *edit = run.edit;
		size_t took = sent < run.len ? sent : run.len;
		sent -= took;
		if (!edit)
			continue;
		if (took > 0) {
			begun = edit->span;
			any = true;
		}
		if (took == run.len || !any || edit->span != begun)
			continue;
		size_t offset = edit->offset + (edit->replaces ? took : 0);
		add(out->conn, offset > callers ? offset - callers : 0, edit->replaces,
		    bytes_from(edit->text, took));
	}
}

bool owed_plan(struct outgoing *out)
{
	const struct owed *owed = owed_of(out->conn);

	if (!owed)
		return false;
	for (int i = 0; i < owed->count; i++) {
		size_t offset = owed->edit[i].offset, len = owed->edit[i].len;
		if (offset >= out->length) /* never the last thing sent */
			break;
		if (owed->edit[i].replaces && len > out->length - offset)
			len = out->length - offset;
		out->edit[out->edits++] = (struct outgoing_edit){
			.offset = offset,
			.replaces = owed->edit[i].replaces,
			.text = {owed->text + owed->edit[i].from, len},
		};
	}
	out->owing = out->edits > 0;
	return out->owing;
}

void owed_sent(struct outgoing *out, size_t sent)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	struct owed *owed = owed_of(out->conn);
	size_t callers = outgoing_callers(out, sent);
	int at = 0, left = 0;

	while (outgoing_next(&runs, &run)) {
		size_t took = sent < run.len ? sent : run.len;
		sent -= took;
		if (!run.edit)
			continue;
		owed->edit[at].from = (uint16_t)(owed->edit[at].from + took);
		owed->edit[at].len = (uint16_t)(owed->edit[at].len - took);
		if (owed->edit[at].replaces)
			owed->edit[at].offset += took;
		at++;
	}
	for (int i = 0; i < owed->count; i++) {
		if (owed->edit[i].len == 0)
			continue;
		owed->edit[i].offset = owed->edit[i].offset > callers ? owed->edit[i].offset - callers : 0;
		owed->edit[left++] = owed->edit[i];
	}
	owed->count = left;
	/* The block stays until the connection's end: the kernel may read from it still (MSG_ZEROCOPY). */
}
