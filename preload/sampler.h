/* sampler.h - shall this span be kept? (otel.md 3.3, 3.4)
 *
 * Pure: no lock, no allocation; safe anywhere once sampler_configure() ran. */
#ifndef TAGALONG_SAMPLER_H
#define TAGALONG_SAMPLER_H

#include "preload/context.h"

enum sampler_root { SAMPLER_ALWAYS_ON, SAMPLER_ALWAYS_OFF, SAMPLER_RATIO };

struct sampler {
	enum sampler_root root;
	bool parent_based;
	double ratio;       /* SAMPLER_RATIO */
	uint64_t threshold; /* 56-bit; derived by sampler_configure() */
	char th[15];        /* its text for `ot=th:`, NUL-terminated; derived */
};

/* Default until called: parentbased_always_on. Fills the derived fields. */
void sampler_configure(const struct sampler *sampler);

/* Decides for a span of `child->trace_id`. `parent` may be NULL or invalid (a root; its `deny` is
 * honoured). Sets or clears FLAG_SAMPLED in child->flags, and points child->tracestate to the tracestate
 * the span has: the parent's own, or one rewritten into `text` (CONTEXT_STATE_MAX bytes at least).
 * Returns whether to record. */
bool sampler_decide(const struct context *parent, struct context *child, char *text, size_t cap);

/* "AlwaysOnSampler", "TraceIdRatioBased{0.250000}", "ParentBased{root=...}". */
size_t sampler_describe(char *out, size_t cap);

#endif
