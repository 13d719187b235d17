/* view_print.c - traces as text; see view.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/text.h"
#include "exporter/cli/view.h"

/* Deeper than this the branches are not drawn any further, or nothing would be left of the line. */
#define DRAWN_DEPTH 24
#define SERVICES_SHOWN 6
#define RED "\033[31m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

struct glyphs {
	const char *branch, *last, *line, *call, *ellipsis;
	const char *event;
	const char *full, *left, *right, *point; /* the bar, and its ends where they fill half a column */
};
static const struct glyphs unicode = {"├─ ", "└─ ", "│  ", "→ ", "…", "· ", "━", "╺", "╸", "╸"};
static const struct glyphs ascii = {"|- ", "`- ", "|  ", "-> ", "...", "* ", "=", "=", "=", "="};

struct page {
	const struct view_options *options;
	const struct glyphs *glyphs;
	const struct view_trace *trace;
	FILE *out;
	size_t label, service, bar; /* widths */
};

static const char *color(const struct page *page, const char *code)
{
	return page->options->color ? code : "";
}

static void hex(FILE *out, const uint8_t *id, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", id[i]);
}

/* Three digits that matter, and a unit: at most 8 columns. */
static void duration_text(uint64_t ns, char *out, size_t cap)
{
	static const struct {
		uint64_t from;
		double unit;
		const char *name;
	} units[] = {{60000000000u, 60e9, "min"},
		     {1000000000u, 1e9, "s"},
		     {1000000u, 1e6, "ms"},
		     {1000u, 1e3, "us"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ns < units[i].from)
			continue;
		double value = (double)ns / units[i].unit;
		snprintf(out, cap, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[i].name);
		return;
	}
	snprintf(out, cap, "%" PRIu64 " ns", ns);
}

static void start_text(uint64_t ns, char *out, size_t cap)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm parts;
	char date[64];

	/* 2^64 ns end in the year 2554, so nothing here can overflow. */
	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &parts);
	snprintf(out, cap, "%s.%03uZ", date, (unsigned)(ns / 1000000u % 1000));
}

/* The services of a trace in the order of their first spans. Complete up to a number that nobody reads. */
static size_t list_services(const struct view_trace *trace, const char *names[], size_t cap)
{
	size_t count = 0;

	for (size_t i = 0; i < trace->count; i++) {
		size_t k = 0;
		while (k < count && strcmp(names[k], trace->spans[i]->service) != 0)
			k++;
		if (k == cap)
			return cap;
		if (k == count)
			names[count++] = trace->spans[i]->service;
	}
	return count;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_header(const struct page *page)
{
	const struct view_trace *trace = page->trace;
	const char *services[SERVICES_SHOWN + 1];
	size_t service_count = list_services(trace, services, SERVICES_SHOWN + 1);
	char start[96], duration[32];

	start_text(trace->start, start, sizeof(start));
	duration_text(trace->end - trace->start, duration, sizeof(duration));
	fprintf(page->out, "%strace ", color(page, BOLD));
	hex(page->out, trace->spans[0]->trace, 16);
	fprintf(page->out, "%s  %s  %s  %zu span%s", color(page, PLAIN), start, duration, trace->count,
		plural(trace->count));
	if (trace->errors)
		fprintf(page->out, "  %s%zu error%s%s", color(page, RED), trace->errors,
			plural(trace->errors), color(page, PLAIN));
	if (trace->duplicates)
		fprintf(page->out, "  %zu duplicate span id%s", trace->duplicates, plural(trace->duplicates));
	fputs("\n  services:", page->out);
	for (size_t i = 0; i < service_count && i < SERVICES_SHOWN; i++)
		fprintf(page->out, "%s %s", i ? "," : "", services[i]);
	fputs(service_count > SERVICES_SHOWN ? ", ...\n" : "\n", page->out);
}

/* Where a time lies within the trace, in half columns from 0 to 2 * bar. */
static size_t place(const struct page *page, uint64_t time)
{
	uint64_t whole = page->trace->end - page->trace->start;

	return whole ? (size_t)((double)(time - page->trace->start) / (double)whole * (double)(2 * page->bar))
		     : 0;
}

static void print_bar(const struct page *page, const struct view_span *span)
{
	const struct glyphs *glyphs = page->glyphs;
	size_t halves = 2 * page->bar, from = place(page, span->start);
	size_t to = place(page, span->end > span->start ? span->end : span->start);

	if (from >= halves)
		from = halves - 1;
	if (to > halves)
		to = halves;
	if (to <= from)
		to = from + 1;
	for (size_t column = 0; 2 * column < to; column++) {
		bool first = from <= 2 * column, second = to >= 2 * column + 2;
		if (from >= 2 * column + 2)
			fputc(' ', page->out);
		else
			fputs(first && second ? glyphs->full
			      : first         ? glyphs->right
			      : second        ? glyphs->left
					      : glyphs->point,
			      page->out);
	}
}

/* What precedes the name: a line for each ancestor that has more children below. */
static void draw_branches(const struct page *page, const struct view_span *span, const bool *more, char *out,
			  size_t cap)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t level = 1; level < span->depth && level < DRAWN_DEPTH; level++)
		used += (size_t)snprintf(out + used, cap - used, "%s",
					 more[level] ? page->glyphs->line : "   ");
	if (span->depth > DRAWN_DEPTH)
		used += (size_t)snprintf(out + used, cap - used, "(%zu deep) ", span->depth);
	if (span->depth)
		snprintf(out + used, cap - used, "%s",
			 span->next ? page->glyphs->branch : page->glyphs->last);
}

static void describe_oddity(const struct view_span *span, char *out, size_t cap)
{
	static const char digits[] = "0123456789abcdef";
	char parent[17] = "";

	for (size_t i = 0; i < sizeof(span->parent); i++) {
		parent[2 * i] = digits[span->parent[i] >> 4];
		parent[2 * i + 1] = digits[span->parent[i] & 15];
	}
	parent[16] = '\0';
	out[0] = '\0';
	if (span->oddity == ODDITY_ORPHAN)
		snprintf(out, cap, " (parent %s not in the file)", parent);
	else if (span->oddity == ODDITY_RING)
		snprintf(out, cap, " (parent %s is its own descendant)", parent);
	else if (span->oddity == ODDITY_DUPLICATE)
		snprintf(out, cap, " (duplicate span id)");
	if (span->ambiguous)
		snprintf(out + strlen(out), cap - strlen(out), " (parent ambiguous%s%s)",
			 span->ambiguity ? ": " : "", span->ambiguity ? span->ambiguity : "");
}

static void print_span(const struct page *page, const struct view_span *span, const bool *more)
{
	char branches[DRAWN_DEPTH * 8 + 64], oddity[96], duration[32];
	bool call = span->kind == KIND_CLIENT || span->kind == KIND_PRODUCER;

	draw_branches(page, span, more, branches, sizeof(branches));
	describe_oddity(span, oddity, sizeof(oddity));
	if (span->end >= span->start)
		duration_text(span->end - span->start, duration, sizeof(duration));
	else
		snprintf(duration, sizeof(duration), "%s", span->end ? "negative" : "no end");

	/* What is odd must be read, so the name and its detail give way. */
	size_t odd = text_width(oddity), before = text_width(branches) + 2;
	size_t room = page->label > before ? page->label - before : 0;
	char *label = cli_join("%s%s%s%s", call ? page->glyphs->call : "", span->name,
			       span->detail[0] ? " " : "", span->detail);
	size_t wanted = text_width(label), shown = room > odd + 12 ? room - odd : 12;
	if (wanted < shown)
		shown = wanted;

	fprintf(page->out, "%s%s%s ", span->error ? color(page, RED) : "", span->error ? "!" : " ",
		span->error ? color(page, PLAIN) : "");
	fprintf(page->out, "%s%s%s%s", color(page, DIM), branches, color(page, PLAIN),
		span->error ? color(page, RED) : "");
	text_fit(page->out, label, shown, page->glyphs->ellipsis);
	fprintf(page->out, "%s%s", span->error ? color(page, PLAIN) : "", oddity);
	for (size_t used = shown + odd; used < room; used++)
		fputc(' ', page->out);
	fputs("  ", page->out);
	text_fit(page->out, span->service, page->service, page->glyphs->ellipsis);
	fprintf(page->out, " %8s  %s", duration, span->error ? color(page, RED) : "");
	print_bar(page, span);
	fprintf(page->out, "%s\n", span->error ? color(page, PLAIN) : "");
	free(label);
}

/* The start of a line below a span that is none itself. */
static void draw_margin(const struct page *page, const struct view_span *span, const bool *more)
{
	fprintf(page->out, "  %s", color(page, DIM));
	for (size_t level = 1; level <= span->depth && level < DRAWN_DEPTH; level++)
		fputs(more[level] ? page->glyphs->line : "   ", page->out);
	fputs(span->child ? page->glyphs->line : "   ", page->out);
}

static void print_notes(const struct page *page, const struct view_span *span, const bool *more)
{
	for (const struct view_note *note = span->notes; note; note = note->next) {
		draw_margin(page, span, more);
		fprintf(page->out, "%s%s%s\n", page->glyphs->event, note->text, color(page, PLAIN));
	}
}

/* Below their span, each with the time since that began. */
static void print_events(const struct page *page, const struct view_span *span, const bool *more)
{
	char took[32];

	for (const struct view_event *event = span->events; event; event = event->next) {
		bool before = event->at < span->start;
		draw_margin(page, span, more);
		duration_text(before ? span->start - event->at : event->at - span->start, took, sizeof(took));
		fprintf(page->out, "%s%s %s%s%s\n", page->glyphs->event, event->name, before ? "-" : "+",
			took, color(page, PLAIN));
	}
}

static void lay_out(struct page *page)
{
	size_t width = page->options->width, fixed = 2 + 1 + 8 + 2;

	page->service = 4;
	for (size_t i = 0; i < page->trace->count; i++) {
		size_t wanted = text_width(page->trace->spans[i]->service);
		if (wanted > page->service)
			page->service = wanted < 16 ? wanted : 16;
	}
	page->bar = width / 4 < 8 ? 8 : width / 4 > 40 ? 40 : width / 4;
	fixed += page->service + page->bar;
	page->label = width > fixed + 24 ? width - fixed : 24;
}

void view_print_trace(const struct view_trace *trace, const struct view_options *options, FILE *out)
{
	struct page page = {
		.options = options, .glyphs = options->ascii ? &ascii : &unicode, .trace = trace, .out = out};
	bool more[DRAWN_DEPTH + 1] = {false};

	lay_out(&page);
	print_header(&page);
	const struct view_span *span = trace->roots;
	while (span) {
		if (span->depth <= DRAWN_DEPTH)
			more[span->depth] = span->next;
		print_span(&page, span, more);
		print_notes(&page, span, more);
		if (options->events)
			print_events(&page, span, more);
		if (span->child) {
			span = span->child;
			continue;
		}
		while (span && !span->next)
			span = span->up;
		span = span ? span->next : NULL;
	}
	fputc('\n', out);
}

static bool wanted_trace(const struct view_trace *trace, const struct view_options *options)
{
	char id[33];

	for (size_t i = 0; i < 16; i++)
		snprintf(id + 2 * i, 3, "%02x", trace->spans[0]->trace[i]);
	if (options->trace && strncmp(id, options->trace, strlen(options->trace)) != 0)
		return false;
	if (options->errors && !trace->errors)
		return false;
	for (size_t i = 0; options->service && i <= trace->count; i++) {
		if (i == trace->count)
			return false;
		if (!strcmp(trace->spans[i]->service, options->service))
			break;
	}
	return true;
}

static int by_duration(const void *left, const void *right)
{
	const struct view_trace *a = *(const struct view_trace *const *)left,
				*b = *(const struct view_trace *const *)right;
	uint64_t a_length = a->end - a->start, b_length = b->end - b->start;

	if (a_length != b_length)
		return a_length < b_length ? 1 : -1;
	return (a > b) - (a < b); /* they lie in one array, by start */
}

size_t view_print(const struct view_spans *all, const struct view_options *options, FILE *out)
{
	const struct view_trace **shown = cli_grow(NULL, all->trace_count, sizeof(*shown));
	size_t count = 0;

	for (size_t i = 0; i < all->trace_count; i++)
		if (wanted_trace(&all->traces[i], options))
			shown[count++] = &all->traces[i];
	if (options->slowest) {
		qsort(shown, count, sizeof(*shown), by_duration);
		count = count < options->slowest ? count : options->slowest;
	}
	if (options->limit && count > options->limit)
		count = options->limit;
	for (size_t i = 0; i < count; i++)
		view_print_trace(shown[i], options, out);
	free(shown);
	return count;
}
