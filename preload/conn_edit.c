/* conn_edit.c - a write with its edits: what goes out, and what of it was the caller's. */
#include "preload/conn_internal.h"

#include <string.h>

size_t outgoing_length(const struct outgoing *out)
{
	size_t total = out->length;
	for (int i = 0; i < out->edits; i++)
		if (!out->edit[i].replaces)
			total += out->edit[i].text.len;
	return total;
}

bool outgoing_room(struct outgoing *out, int count)
{
	if (out->edits + count <= out->edit_room)
		return true;
	if (out->many || !(out->many = wide_take()))
		return false;
	memcpy(out->many, out->few, sizeof(out->few));
	out->edit = (struct outgoing_edit *)(void *)out->many;
	out->edit_room = WIDE_SIZE / sizeof(struct outgoing_edit);
	return true;
}

bool outgoing_next(struct outgoing_runs *runs, struct outgoing_run *run)
{
	const struct outgoing *out = runs->out;
	const struct outgoing_edit *edit = runs->next < out->edits ? &out->edit[runs->next] : NULL;
	size_t until = edit ? edit->offset : out->length;

	if (until > runs->at) {
		*run = (struct outgoing_run){NULL, runs->at, until - runs->at};
		runs->at = until;
		return true;
	}
	if (!edit)
		return false;
	*run = (struct outgoing_run){edit, edit->offset, edit->text.len};
	runs->at = edit->offset + (edit->replaces ? edit->text.len : 0);
	runs->next++;
	return true;
}

/* The caller's bytes [from, from + len) as pieces. */
static int caller_pieces(const struct outgoing *out, size_t from, size_t len, struct iovec *pieces, int most)
{
	int n = 0;
	for (int i = 0; i < out->iovcnt && len > 0 && n < most; i++) {
		size_t have = out->iov[i].iov_len;
		if (from >= have) {
			from -= have;
			continue;
		}
		size_t take = have - from < len ? have - from : len;
		pieces[n++] = (struct iovec){(char *)out->iov[i].iov_base + from, take};
		from = 0;
		len -= take;
	}
	return n;
}

int outgoing_iov(const struct outgoing *out, size_t done, struct iovec *pieces, int most)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	int n = 0;
	while (n < most && outgoing_next(&runs, &run)) {
		if (done >= run.len) {
			done -= run.len;
			continue;
		}
		if (run.edit)
			pieces[n++] =
				(struct iovec){(char *)(uintptr_t)run.edit->text.ptr + done, run.len - done};
		else
			n += caller_pieces(out, run.from + done, run.len - done, pieces + n, most - n);
		done = 0;
	}
	return n;
}

size_t outgoing_callers(const struct outgoing *out, size_t sent)
{
	struct outgoing_runs runs = {.out = out};
	struct outgoing_run run;
	size_t callers = 0;
	while (sent > 0 && outgoing_next(&runs, &run)) {
		size_t took = sent < run.len ? sent : run.len;
		if (!run.edit || run.edit->replaces)
			callers += took;
		sent -= took;
	}
	return callers;
}
