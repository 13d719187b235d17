#include "hooks/launch.h"

#include <string.h>

#include "hooks/nested.h"
#include "preload/activity.h"

void launch_begin(struct launch *launch)
{
	*launch = (struct launch){.live = hook_live_nested()};
	if (!launch->live)
		return;
	struct nested nested = nested_enter();
	launch->activity = activity_current();
	nested_leave(nested);
}

/* Room for tracestate and baggage of the activity; most have none. */
size_t launch_text(const struct launch *launch)
{
	struct span *span = launch->activity != SPAN_NOBODY ? span_of(launch->activity) : NULL;
	if (!span)
		return 0;
	size_t size = span->context.tracestate.len + span->context.baggage.len + 1;
	return size <= CONTEXT_STATE_MAX + CONTEXT_BAGGAGE_MAX + 1 ? size : 0;
}

static const struct context *choose(struct launch *launch, char *text)
{
	size_t size = launch_text(launch);
	struct span *span = launch->activity != SPAN_NOBODY ? span_of(launch->activity) : NULL;

	if (span && span_look(launch->activity, &launch->context, text, text ? size : 0)) {
		span->exposed = true;
		memcpy(launch->received, span->received_id, sizeof(launch->received));
		return &launch->context;
	}
	/* Once it has served requests, what it starts may be any of theirs. */
	if (!atomic_load_explicit(&process_served, memory_order_relaxed))
		return &process_context;
	return NULL;
}

void launch_plan(struct launch *launch, char *text, struct environ_plan *plan, char *const envp[])
{
	if (!launch->live) {
		*plan = (struct environ_plan){.source = envp};
		return;
	}
	struct nested nested = nested_enter();
	const struct context *context = choose(launch, text);
	environ_plan(plan, envp, context, context == &launch->context ? launch->received : NULL);
	nested_leave(nested);
}

char *const *launch_environ(const struct launch *launch, const struct environ_plan *plan, void *room)
{
	if (!launch->live || !room)
		return plan->source;
	struct nested nested = nested_enter();
	char *const *built = environ_build(plan, room);
	nested_leave(nested);
	return built;
}
