/* exchange_fields.c - what a head said about context, kept when the head is cut between two feeds. */
#include "preload/conn_internal.h"

#include <string.h>

/* In the span's room, newest first. */
struct saved_field {
	struct saved_field *before;
	uint32_t field;
	uint16_t name_len, value_len;
	char text[];
};

void exchange_save_fields(struct exchange_sink *sink, struct span *span)
{
	for (uint32_t i = 0; i < sink->fields.count; i++) {
		struct bytes name = sink->fields.seen[i].name, value = sink->fields.seen[i].value;
		if (name.len > 256 || value.len > CONTEXT_BAGGAGE_MAX)
			continue;
		struct saved_field *saved =
			(void *)span_room(span, sizeof(struct saved_field) + name.len + value.len);
		if (!saved)
			return;
		saved->before = span->saved;
		saved->field = sink->fields.seen[i].field;
		saved->name_len = (uint16_t)name.len;
		saved->value_len = (uint16_t)value.len;
		if (name.len)
			memcpy(saved->text, name.ptr, name.len);
		if (value.len)
			memcpy(saved->text + name.len, value.ptr, value.len);
		span->saved = saved;
	}
}

bool exchange_has_fields(const struct exchange_sink *sink, const struct span *span)
{
	return sink->fields.count > 0 || span->saved;
}

/* Order of arrival matters for lists: saved ones first, oldest first. */
static void collect(struct extraction *all, const struct saved_field *saved, int depth)
{
	if (!saved || depth == EXTRACTION_FIELDS)
		return;
	collect(all, saved->before, depth + 1);
	extraction_add(all, saved->field, (struct bytes){saved->text, saved->name_len},
		       (struct bytes){saved->text + saved->name_len, saved->value_len});
}

static bool needs_block(const struct extraction *fields)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		uint32_t field = fields->seen[i].field;
		if (field == FIELD_BAGGAGE || field == FIELD_UBERCTX || field == FIELD_JAEGER_BAGGAGE ||
		    field == FIELD_OT_BAGGAGE)
			return true;
	}
	return false;
}

static bool names_a_trace(const struct extraction *fields)
{
	for (uint32_t i = 0; i < fields->count; i++)
		if (fields->seen[i].field == FIELD_TRACEPARENT)
			return true;
	return false;
}

bool exchange_context(struct exchange_sink *sink, struct span *span, struct context *out, char *small,
		      char **block)
{
	struct extraction joined;
	const struct extraction *fields = &sink->fields;

	if (span->saved) {
		extraction_init(&joined);
		collect(&joined, span->saved, 0);
		for (uint32_t i = 0; i < sink->fields.count; i++)
			extraction_add(&joined, sink->fields.seen[i].field, sink->fields.seen[i].name,
				       sink->fields.seen[i].value);
		fields = &joined;
	}
	if (fields->count == 1 && fields->seen[0].field == FIELD_TRACEPARENT) { /* as nearly always */
		bool understood = context_extract(fields, out, small, FIELDS_SMALL);
		if (!understood)
			count_one(context_rejected);
		*block = NULL;
		return understood;
	}
	*block = needs_block(fields) ? block_take() : NULL;
	bool valid = *block ? context_extract(fields, out, *block, BLOCK_SIZE)
			    : context_extract(fields, out, small, FIELDS_SMALL);
	if (!valid && names_a_trace(fields))
		count_one(context_rejected);
	return valid;
}

void exchange_adopt(struct span *span, const struct activity_verdict *verdict)
{
	span_ref activity = verdict->activity;
	char small[FIELDS_SMALL], *block = NULL;
	struct context parent;

	span->evidence = verdict->evidence;
	span_ambiguous(span, (enum ambiguity)verdict->ambiguous);
	if (verdict->process) {
		span_identify(span, &process_context);
		return;
	}
	struct span *owner = span_of(activity);
	if (!owner) {
		if (activity == SPAN_NOBODY && !verdict->ambiguous && thread.current == SPAN_NOBODY)
			span->link = thread.link;
		span_identify(span, NULL);
		return;
	}
	if (owner->context.baggage.len)
		block = block_take();
	bool there = block ? span_look(activity, &parent, block, BLOCK_SIZE)
			   : span_look(activity, &parent, small, sizeof(small));
	/* Its own span is no remote parent of ours. */
	parent.remote = false;
	span_identify(span, there ? &parent : NULL);
	span->activity = there ? activity : SPAN_NOBODY;
	block_give(block);
}
