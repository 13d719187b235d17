/* http1.h - what the files of the HTTP/1 parser share with each other and nobody else.
 *
 * http1.c        feeding, bodies, beginnings and ends
 * http1_whole.c  lines that stand whole in one feed: nearly all
 * http1_again.c  those that came before
 * http1_head.c   request line, status line, field lines, cut anywhere
 * http1_field.c  what a field means for framing, and which ones are kept
 * http1_upgrade.c when HTTP/2 takes over
 * http1_stash.c  heads that are cut between two feeds */
#ifndef TAGALONG_HTTP1_H
#define TAGALONG_HTTP1_H

#include "hooks/protocols/http1_state.h"
#include "hooks/protocols/http_describe.h"

/* One feed, on the stack. */
struct http1_run {
	struct http1_state *state;
	struct http1_half *half;
	struct protocol_sink *sink;
	struct bytes in;
	size_t at;
	size_t mark; /* where the piece of the unfinished line in this feed begins */
	size_t stop; /* and where it ends */
	bool here;   /* the value's first byte is in this feed */
	bool requests;
	bool fresh;                    /* a start line has just ended: no field was read yet */
	struct bytes name;             /* of the field under way, if it came in this feed */
	uint16_t spare_from, spare_to; /* a record that is needed until the end of this feed only */
	struct protocol_event event;   /* told over and over; what a type does not use is zero */
	struct http_message message;
};

/* http1.c */
void http1_tell(struct http1_run *run, enum protocol_event_type type, uint32_t number, size_t offset);
void http1_opaque(struct http1_run *run, enum protocol_opaque why);
void http1_malformed(struct http1_run *run); /* NOT_MINE before the first right request line */
void http1_head_done(struct http1_run *run);
void http1_message_done(struct http1_run *run);
uint32_t http1_exchange(const struct http1_run *run);

void http1_set_kind(struct http1_state *state, enum http1_kind kind); /* of the newest request */

/* Takes `count` bytes of a head. False: it is too long, and opaque. */
static inline bool http1_consume(struct http1_run *run, size_t count)
{
	run->at += count;
	if (count > HTTP1_HEAD_MAX - run->half->head) {
		http1_opaque(run, OPAQUE_TOO_LARGE);
		return false;
	}
	run->half->head += (uint32_t)count;
	return true;
}

/* http1_whole.c: whole lines. The first two answer false, and the last one comes back, with nothing taken of
 * a line that is for http1_head.c. */
bool http1_whole_request_line(struct http1_run *run);
bool http1_whole_status_line(struct http1_run *run);
void http1_whole_fields(struct http1_run *run);

/* http1_again.c. The head's first lines, if they are known. True: it is to be kept what its lines, from the
 * first one on, say when they have been read up to some end of a line in this feed. */
bool http1_again_take(struct http1_run *run);
#define HTTP1_AGAIN_MAX 256
/* full: of what follows nothing is to be kept. */
void http1_again_keep(struct http1_run *run, size_t from, size_t to, bool full);

/* http1_head.c */
void http1_start_line(struct http1_run *run);
void http1_line_done(struct http1_half *half);  /* the start line */
void http1_status_known(struct http1_run *run); /* half->status: is it the beginning of a response? */
void http1_field_start(struct http1_run *run);
void http1_name(struct http1_run *run);
void http1_value(struct http1_run *run);
void http1_dull(struct http1_run *run);
void http1_blank(struct http1_run *run);
void http1_field_event(struct http1_run *run, struct bytes name, struct bytes value, size_t offset,
		       bool whole);

/* http1_field.c */
extern const uint32_t
	http1_lengths[2][32]; /* [half][letter]: bit n, a name of n letters may be a field we know */
/* May this field be wanted by anybody? No is certain. */
static inline bool http1_wanted(enum protocol_half half, struct bytes name)
{
	unsigned letter = protocol_letter(name);
	return (http1_lengths[half][letter] | protocol_settings.wanted[half][letter]) &
	       protocol_length_bit(name);
}
void http1_classify(struct http1_run *run, struct bytes name);
/* All of a line that somebody may want: for framing, for the span, for context. */
void http1_field_line(struct http1_run *run, struct bytes name, struct bytes value);
/* A framing field's value; what is wrong with it shows in half->broken. */
void http1_framing(struct http1_half *half, enum http1_field field, struct bytes value);
enum http1_kind http1_kind(const struct http1_state *state); /* of the request to be answered next */
bool http1_framing_sound(const struct http1_run *run);
struct bytes *http1_slot(struct http_message *message, enum http1_field field);
void http1_keep(struct http_message *message, enum http1_field field, bool captured, struct bytes name,
		struct bytes value);

/* http1_upgrade.c */
void http1_upgrade_field(struct http1_half *half, enum http1_field field, struct bytes value);
bool http1_upgrade(struct http1_run *run); /* 101: told, if HTTP/2 is what follows */

/* http1_stash.c */
void http1_stash_begin(struct http1_run *run); /* a new head */
bool http1_stash_load(struct http1_run *run);  /* false: what we kept is gone */
bool http1_stash_save(struct http1_run *run);  /* false: no room */
/* Adds to the unfinished line; sets half->overflow when it does not all fit. */
void http1_stash_append(struct http1_run *run, struct bytes text);
char *http1_stash_open(const struct http1_run *run); /* where the unfinished line stands */
void http1_stash_commit(struct http1_run *run, enum http1_field field, bool captured, bool keep);

#endif
