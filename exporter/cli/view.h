/* view.h - spans from OTLP JSON lines, put back together as trees.
 *
 *	view_read.c   lines -> spans, with a complaint for each line that is something else
 *	view_span.c   one JSON span -> struct view_span
 *	view_tree.c   spans -> traces
 *	view_print.c  traces -> text
 *
 * Everything in here was written by programs that nobody vouches for: ids collide, parents are missing or
 * form a ring, clocks disagree, chains are a million spans deep. So no recursion over spans, and all text
 * is escaped when it is read (text.h), which makes it safe wherever it is used afterwards. */
#ifndef TAGALONG_CLI_VIEW_H
#define TAGALONG_CLI_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum view_kind { KIND_UNKNOWN, KIND_INTERNAL, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER };

enum view_oddity {
	ODDITY_NONE,
	ODDITY_ORPHAN,    /* its parent is in none of the files */
	ODDITY_RING,      /* its ancestors lead back to itself */
	ODDITY_DUPLICATE, /* an earlier span of the trace has its id */
};

/* Something that happened to a span, in the order in which the file has them. */
struct view_event {
	struct view_event *next;
	uint64_t at; /* ns */
	const char *name;
};

/* What a span says that its reader should not have to ask for. */
struct view_note {
	struct view_note *next;
	const char *text;
};

struct view_span {
	uint8_t trace[16], id[8], parent[8];
	uint64_t start, end; /* ns; start is not 0; end may lie before start */
	const char *name, *detail, *service;
	const char *file;
	unsigned long line;
	uint8_t kind;   /* enum view_kind */
	uint8_t oddity; /* enum view_oddity */
	bool has_parent, error, ambiguous, placed;
	const char *ambiguity; /* why, or NULL */
	size_t depth;
	struct view_event *events;
	struct view_note *notes;
	struct view_span *up, *child, *next; /* filled by view_build() */
};

struct view_trace {
	struct view_span **spans; /* by start; a part of view_spans.at */
	size_t count, errors, duplicates;
	uint64_t start, end;
	struct view_span *roots; /* linked by `next`, by start */
};

struct view_spans {
	struct view_span **at;
	size_t count, cap;
	struct view_trace *traces; /* by start */
	size_t trace_count;
	struct view_chunk *chunks; /* owns every span and text */
};

/* Where a line came from, and how much of it has been complained about. */
struct view_source {
	const char *name; /* escaped, lives as long as the spans */
	unsigned long line;
	unsigned long bad; /* lines and spans that were not understood */
};

void view_free(struct view_spans *all);
void *view_alloc(struct view_spans *all, size_t size);
struct view_span *view_add(struct view_spans *all);
/* Escaped copy of at most `cap` bytes. */
const char *view_text(struct view_spans *all, const char *text, size_t len, size_t cap);

/* "NAME:LINE: expected WHAT, found ...". Goes silent after a number of them; view_read() says how many. */
void view_expected(struct view_source *source, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads to the end of the file. False: the file could not be read to its end (errno says why). */
bool view_read(struct view_spans *all, struct view_source *source, FILE *file);
void view_line(struct view_spans *all, struct view_source *source, const char *line, size_t len);

/* One element of scopeSpans[].spans; `json` is a json_t. */
void view_json_span(struct view_spans *all, struct view_source *source, const void *json,
		    const char *service);

/* Sorts, finds parents, marks oddities. Once, when everything is read. */
void view_build(struct view_spans *all);

struct view_options {
	const char *trace;   /* lower-case hex prefix */
	const char *service; /* escaped */
	bool errors, events, ascii, color;
	size_t slowest, limit; /* 0: no limit */
	size_t width;
};

/* Returns how many traces were shown. */
size_t view_print(const struct view_spans *all, const struct view_options *options, FILE *out);
void view_print_trace(const struct view_trace *trace, const struct view_options *options, FILE *out);

#endif
