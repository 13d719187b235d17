#include "preload/process_span.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/activity.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/log.h"
#include "preload/span.h"
#include "preload/sys.h"

#define ARGS_MOST 64

static _Atomic(struct span *) process_span;

/* argv as the kernel has it: read only where the user asked for it. */
static void describe_arguments(struct span *span)
{
	struct bytes values[ARGS_MOST];
	char text[4096];
	size_t count = 0;

	long fd = sys_open("/proc/self/cmdline", O_RDONLY, 0);
	if (fd < 0)
		return;
	long got = sys_read((int)fd, text, sizeof(text) - 1);
	sys_close((int)fd);
	if (got <= 0)
		return;
	text[got] = '\0';
	for (char *at = text; at < text + got && count < ARGS_MOST; at += values[count++].len + 1)
		values[count] = bytes_of(at);
	attrs_strings(&span->attrs, BYTES("process.command_args"), values, count);
}

static void describe_executable(struct span *span)
{
	char path[1024];
	long length = sys_readlink("/proc/self/exe", path, sizeof(path));
	if (length <= 0 || length >= (long)sizeof(path))
		return;

	struct bytes whole = {path, (size_t)length}, name = whole;
	for (size_t i = 0; i < whole.len; i++)
		if (path[i] == '/')
			name = bytes_from(whole, i + 1);
	span_name(span, name);
	attrs_string(&span->attrs, BYTES("process.executable.name"), name);
	attrs_string(&span->attrs, BYTES("process.executable.path"), whole);
}

/* Everybody's parent from here on. The span's own text goes with the span; baggage is what came in. */
static void become_context(const struct span *span)
{
	static char state[CONTEXT_STATE_MAX];
	struct bytes baggage = process_context.baggage;

	process_context = span->context;
	process_context.remote = false;
	process_context.baggage = baggage;
	process_context.tracestate = BYTES_NONE;
	if (span->context.tracestate.len && span->context.tracestate.len <= sizeof(state)) {
		memcpy(state, span->context.tracestate.ptr, span->context.tracestate.len);
		process_context.tracestate = (struct bytes){state, span->context.tracestate.len};
	}
}

void process_span_begin(void)
{
	if (!config.process_spans || config.sdk_disabled)
		return;
	struct span *span = span_begin(SPAN_INTERNAL, clock_now());
	if (!span)
		return;
	span->evidence = PARENT_PROCESS;
	span_identify(span, &process_context);
	span->exposed = true;
	describe_executable(span);
	attrs_int(&span->attrs, BYTES("process.pid"), sys_getpid());
	if (config.process_args)
		describe_arguments(span);
	become_context(span);
	atomic_store(&process_span, span);
}

void process_span_end(int exit_code)
{
	struct span *span = atomic_exchange(&process_span, NULL);
	char code[16];

	if (!span)
		return;
	if (exit_code >= 0)
		attrs_int(&span->attrs, BYTES("process.exit.code"), exit_code);
	if (exit_code > 0) {
		log_format(code, sizeof(code), "%d", exit_code);
		span_error(span, bytes_of(code));
	}
	span_end(span, clock_now());
}

void process_span_forked(void)
{
	/* The slot stays: ours is a copy, and its context goes on being the parent of what this child does.
	 */
	atomic_store(&process_span, NULL);
}
