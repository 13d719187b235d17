/* view_tree.c - finds parents; see view.h.
 *
 * Sorting and binary search, no hash: a file made to collide costs nobody more than n log n. */
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/view.h"

static int number_order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* By trace and id, and in the order of reading where those are the same: `depth` holds it until the tree
 * is there, because qsort() is not stable. */
static int by_id(const void *left, const void *right)
{
	const struct view_span *a = *(struct view_span *const *)left, *b = *(struct view_span *const *)right;
	int order = memcmp(a->trace, b->trace, sizeof(a->trace));

	if (!order)
		order = memcmp(a->id, b->id, sizeof(a->id));
	return order ? order : number_order(a->depth, b->depth);
}

static int by_start(const void *left, const void *right)
{
	const struct view_span *a = *(struct view_span *const *)left, *b = *(struct view_span *const *)right;
	int order = number_order(a->start, b->start);

	return order ? order : number_order(a->depth, b->depth);
}

static int trace_by_start(const void *left, const void *right)
{
	const struct view_trace *a = left, *b = right;
	int order = number_order(a->start, b->start);

	return order ? order : memcmp(a->spans[0]->trace, b->spans[0]->trace, sizeof(a->spans[0]->trace));
}

/* The first of several with one id, so that all children hang on the same one. */
static struct view_span *find(const struct view_trace *trace, const uint8_t *id)
{
	size_t low = 0, high = trace->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(trace->spans[middle]->id, id, 8) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < trace->count && !memcmp(trace->spans[low]->id, id, 8) ? trace->spans[low] : NULL;
}

static void find_parents(struct view_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++) {
		struct view_span *span = trace->spans[i];
		if (i && !memcmp(span->id, trace->spans[i - 1]->id, sizeof(span->id))) {
			span->oddity = ODDITY_DUPLICATE;
			trace->duplicates++;
		}
		if (!span->has_parent)
			continue;
		span->up = find(trace, span->parent);
		if (!span->up && !span->oddity)
			span->oddity = ODDITY_ORPHAN;
	}
}

/* Follows each span's ancestors until one whose fate is known. `placed` marks those that lead to a root;
 * `next` is free until the children are linked, and marks the way gone from this span. */
static void break_rings(struct view_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++) {
		struct view_span *start = trace->spans[i], *span = start;
		while (span->up && !span->placed && span->next != start) {
			span->next = start;
			span = span->up;
		}
		if (span->up && !span->placed) {
			span->oddity = ODDITY_RING;
			span->up = NULL;
		}
		for (span = start; span && !span->placed; span = span->up)
			span->placed = true;
	}
}

/* `spans` is sorted by start: pushing the last one first leaves every list in order. */
static void link_children(struct view_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		trace->spans[i]->next = NULL;
	for (size_t i = trace->count; i-- > 0;) {
		struct view_span *span = trace->spans[i];
		struct view_span **head = span->up ? &span->up->child : &trace->roots;
		span->next = *head;
		*head = span;
	}
}

static void measure(struct view_trace *trace)
{
	trace->start = UINT64_MAX;
	for (size_t i = 0; i < trace->count; i++) {
		const struct view_span *span = trace->spans[i];
		if (span->start < trace->start)
			trace->start = span->start;
		if (span->start > trace->end)
			trace->end = span->start;
		if (span->end > trace->end)
			trace->end = span->end;
		trace->errors += span->error;
	}
}

static void build_trace(struct view_trace *trace)
{
	find_parents(trace);
	break_rings(trace);
	qsort(trace->spans, trace->count, sizeof(*trace->spans), by_start);
	link_children(trace);
	measure(trace);

	/* Parents come before their children only in the tree, so depth is found by walking it. */
	struct view_span *span = trace->roots;
	while (span) {
		span->depth = span->up ? span->up->depth + 1 : 0;
		if (span->child) {
			span = span->child;
			continue;
		}
		while (span && !span->next)
			span = span->up;
		span = span ? span->next : NULL;
	}
}

void view_build(struct view_spans *all)
{
	size_t cap = 0;

	for (size_t i = 0; i < all->count; i++)
		all->at[i]->depth = i; /* the order of reading, until the tree gives depth its own meaning */
	if (all->count)
		qsort(all->at, all->count, sizeof(*all->at), by_id);
	for (size_t i = 0; i < all->count;) {
		size_t from = i;
		while (i < all->count && !memcmp(all->at[i]->trace, all->at[from]->trace, 16))
			i++;
		if (all->trace_count == cap) {
			cap = cap ? cap * 2 : 64;
			all->traces = cli_grow(all->traces, cap, sizeof(*all->traces));
		}
		struct view_trace *trace = &all->traces[all->trace_count++];
		*trace = (struct view_trace){.spans = all->at + from, .count = i - from};
		build_trace(trace);
	}
	if (all->trace_count)
		qsort(all->traces, all->trace_count, sizeof(*all->traces), trace_by_start);
}
