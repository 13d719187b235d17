/* launch.h - who starts a program, and with which environment. */
#ifndef TAGALONG_HOOKS_LAUNCH_H
#define TAGALONG_HOOKS_LAUNCH_H

#include <alloca.h>
#include <stdbool.h>
#include <stddef.h>

#include "preload/environ.h"
#include "preload/span.h"

/* The context that a program started now by this thread belongs to. `text` is the caller's, of launch_text()
 * bytes, and must live as long as `context`. */
struct launch {
	span_ref activity; /* SPAN_NOBODY: the process's own context, or none */
	struct context context;
	uint8_t received[8]; /* the span id that the activity's request came with */
	bool live;           /* false: the environment stays as it is */
};

void launch_begin(struct launch *launch);
size_t launch_text(const struct launch *launch);
void launch_plan(struct launch *launch, char *text, struct environ_plan *plan, char *const envp[]);
char *const *launch_environ(const struct launch *launch, const struct environ_plan *plan, void *room);

/* The environment to start with, on the stack of the calling function: alloca works only there. */
#define LAUNCH_ENVIRON(envp)                                                              \
	__extension__({                                                                   \
		struct launch launch_;                                                    \
		struct environ_plan plan_;                                                \
		launch_begin(&launch_);                                                   \
		size_t text_ = launch_text(&launch_);                                     \
		launch_plan(&launch_, text_ ? alloca(text_) : NULL, &plan_, (envp));      \
		launch_environ(&launch_, &plan_, plan_.size ? alloca(plan_.size) : NULL); \
	})

#endif
