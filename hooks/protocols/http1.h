/* http1.h - what the files of the HTTP/1 parser share with each other and nobody else.
 *
 * http1.c        feeding, bodies, beginnings and ends
 * http1_whole.c  lines that stand whole in one feed: nearly all
 * http1_head.c   request line, status line, field lines, cut anywhere
 * http1_field.c  what a field means for framing, and which ones are kept
 * http1_upgrade.c when HTTP/2 takes over
 * http1_stash.c  heads that are cut between two feeds */
#ifndef TAGALONG_HTTP1_H
#define TAGALONG_HTTP1_H

#include "hooks/protocols/http_describe.h"

#define HTTP1_HEAD_MAX (256 * 1024) /* of a head, of trailers */
#define HTTP1_CHUNK_LINE_MAX 4096   /* of a chunk's size line with its extensions */
#define HTTP1_IN_FLIGHT 64
#define HTTP1_REQUESTS_SHARE 6144 /* of the stash: both halves may be in the middle of a head at once */
#define HTTP1_METHOD_MAX 64
#define HTTP1_SETTINGS_MAX 42 /* seven of six bytes; there are no more */
#define HTTP1_SETTINGS_NONE 0 /* settings_len: else the length and one, or */
#define HTTP1_SETTINGS_BAD 255

enum http1_phase {
	PHASE_IDLE,  /* between messages */
	PHASE_LINE,  /* request or status line; `step` says where in it */
	PHASE_FIELD, /* at the start of a field line */
	PHASE_NAME,
	PHASE_VALUE,
	PHASE_DULL,  /* in a value that nobody wants */
	PHASE_BLANK, /* CR of the blank line seen */
	PHASE_LENGTH,
	PHASE_CLOSE, /* body ends with the connection */
	PHASE_SIZE,
	PHASE_EXTENSION,
	PHASE_SIZE_LF,
	PHASE_DATA,
	PHASE_DATA_CR,
	PHASE_DATA_LF,
	PHASE_TUNNEL, /* after CONNECT, until the answer decides */
	PHASE_IGNORE, /* nothing more is expected of this half */
};

enum http1_step { STEP_METHOD, STEP_TARGET, STEP_VERSION, STEP_LINE_END };

/* What an exchange's request means for its response. */
enum http1_kind { KIND_PLAIN, KIND_HEAD, KIND_CONNECT, KIND_UPGRADE };

/* Fields that we know. */
enum http1_field {
	HTTP1_OTHER,
	HTTP1_CONTENT_LENGTH,
	HTTP1_TRANSFER_ENCODING,
	HTTP1_CONNECTION,
	HTTP1_SETTINGS, /* HTTP2-Settings */
	HTTP1_UPGRADE,
	HTTP1_HOST,
	HTTP1_USER_AGENT,
	HTTP1_FORWARDED,
	HTTP1_FORWARDED_PROTO,
	HTTP1_FORWARDED_HOST,
	HTTP1_FORWARDED_FOR,
	HTTP1_LOCATION,
	HTTP1_START_LINE, /* of a stashed record only */
};

struct http1_half {
	uint64_t left;              /* content length while in the head, then what is left of body or chunk */
	uint32_t head;              /* bytes of this head, of these trailers or of this chunk line */
	uint32_t carrier;           /* of the field under way */
	uint16_t from, used, limit; /* our part of the stash: records in [from, used), nothing behind limit */
	uint16_t open;              /* bytes of an unfinished line behind the records */
	uint16_t name_len;          /* of the field under way; of the method */
	uint16_t status;
	uint16_t cut; /* values that the stash had no room for */
	uint8_t phase, step, field, minor;
	bool cr;       /* the last byte was a CR that must be followed by LF */
	bool captured; /* the field under way */
	bool begun;    /* its value has */
	bool overflow; /* it did not fit the stash */
	bool dull;     /* the last field line was of no interest: folding it does no harm */
	bool trailer;
	bool has_length, has_coding, chunked, chunked_before, broken; /* framing */
	bool close, keep, upgrade;
	bool h2c;             /* Upgrade names it */
	uint8_t settings_len; /* of HTTP2-Settings, decoded; see http1_upgrade.c */
	char settings[HTTP1_SETTINGS_MAX];
};

struct http1_run;

struct http1_state {
	struct http1_run *run; /* only during a feed */
	uint64_t kinds[2];     /* ring of 2-bit enum http1_kind */
	uint32_t begun;        /* requests */
	uint32_t answered;     /* responses that ended */
	bool opaque;
	bool proven;       /* one request line was right */
	bool closed;       /* a response said that no further request will be answered */
	bool tunnel_bytes; /* came after CONNECT, before its answer */
	struct http1_half half[2];
};

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
	struct bytes name;             /* of the field under way, if it came in this feed */
	uint16_t spare_from, spare_to; /* a record that is needed until the end of this feed only */
	struct http_message message;
};

/* http1.c */
void http1_tell(struct http1_run *run, enum protocol_event_type type, uint32_t number, size_t offset);
void http1_opaque(struct http1_run *run, enum protocol_opaque why);
void http1_malformed(struct http1_run *run); /* NOT_MINE before the first right request line */
void http1_head_done(struct http1_run *run);
void http1_message_done(struct http1_run *run);
/* Takes `count` bytes of a head. False: it is too long, and opaque. */
bool http1_consume(struct http1_run *run, size_t count);
uint32_t http1_exchange(const struct http1_run *run);

void http1_set_kind(struct http1_state *state, enum http1_kind kind); /* of the newest request */

/* http1_whole.c: whole lines. The first two answer false, and the last one comes back, with nothing taken of
 * a line that is for http1_head.c. */
bool http1_whole_request_line(struct http1_run *run);
bool http1_whole_status_line(struct http1_run *run);
void http1_whole_fields(struct http1_run *run);

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
	http1_lengths[2][27]; /* [half][letter]: bit n, a name of n letters may be a field we know */
/* May this field be wanted by anybody? No is certain. */
static inline bool http1_wanted(enum protocol_half half, struct bytes name)
{
	unsigned letter = protocol_letter(name);
	return (http1_lengths[half][letter] | protocol_settings.wanted[half][letter]) &
	       protocol_length_bit(name);
}
void http1_classify(struct http1_run *run, struct bytes name);
/* A framing field's value; what is wrong with it shows in half->broken. */
void http1_framing(struct http1_half *half, enum http1_field field, struct bytes value);
enum http1_kind http1_kind(const struct http1_state *state); /* of the request to be answered next */
bool http1_framing_sound(const struct http1_run *run);
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
