/* http1_state.h - what the HTTP/1 parser keeps of a connection between two feeds: plain bytes, copied as
 * such. */
#ifndef TAGALONG_HTTP1_STATE_H
#define TAGALONG_HTTP1_STATE_H

#include <stdbool.h>
#include <stdint.h>

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
	HTTP1_CONTENT_TYPE,
	HTTP1_CONNECT_VERSION, /* Connect-Protocol-Version */
	HTTP1_GRPC_STATUS,
	HTTP1_LAST_OF_MESSAGE = HTTP1_GRPC_STATUS,
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

#endif
