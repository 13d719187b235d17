/* init.c - the composition root: the one place that knows hooks, exporter and mechanism by name.
 *
 * The constructor reads the environment, finds the real functions and maps the tables; it starts no thread,
 * reads nothing from /proc and opens nothing. Hooks called before it ends, or after the exit handler ran, are
 * plain calls. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exporter/exporter.h"
#include "hooks/registry.h"
#include "preload/activity.h"
#include "preload/asked.h"
#include "preload/call.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/conn.h"
#include "preload/correlate.h"
#include "preload/environ.h"
#include "preload/foreign.h"
#include "preload/given.h"
#include "preload/handoff.h"
#include "preload/hook.h"
#include "preload/later.h"
#include "preload/log.h"
#include "preload/names.h"
#include "preload/ownfd.h"
#include "preload/process.h"
#include "preload/process_span.h"
#include "preload/queue.h"
#include "preload/sampler.h"
#include "preload/session.h"
#include "preload/stack.h"
#include "preload/sys.h"
#include "preload/transfer.h"

#pragma weak on_exit

extern char **environ;

static bool running; /* tables are there and the exporter is set up */

static const char *executable_name(char *buf, size_t size)
{
	long n = sys_readlink("/proc/self/exe", buf, size - 1);
	if (n <= 0) {
		const char *path = (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
		if (!path)
			return "";
		const char *slash = strrchr(path, '/');
		return slash ? slash + 1 : path;
	}
	buf[n] = '\0';
	const char *slash = strrchr(buf, '/');
	return slash ? slash + 1 : buf;
}

/* Is another copy of this library in front of us? Then it does the work, and our functions are its "real"
 * ones: plain calls. (An executable that defines the same names is no copy: it keeps them, and the rest is
 * ours.) */
static bool second_copy(const char **own_path)
{
	Dl_info own, front;
	*own_path = NULL;
	if (!dladdr((void *)&running, &own) || !own.dli_fname)
		return false;
	*own_path = own.dli_fname;
	void *first = dlsym(RTLD_DEFAULT, "socketpair");
	if (!first || !dladdr(first, &front) || front.dli_fbase == own.dli_fbase || !front.dli_fname)
		return false;
	const char *slash = strrchr(front.dli_fname, '/');
	return strncmp(slash ? slash + 1 : front.dli_fname, "libtagalong", 11) == 0;
}

/* TRACEPARENT and so on, or HTTP_TRACEPARENT and so on. */
static bool read_context(bool http)
{
	static char text[CONTEXT_STATE_MAX + CONTEXT_BAGGAGE_MAX];
	struct extraction fields;

	extraction_init(&fields);
	for (char **at = environ; at && *at; at++) {
		const char *equals = strchr(*at, '=');
		if (!equals)
			continue;
		struct bytes name = {*at, (size_t)(equals - *at)};
		uint32_t field = http ? environ_http_field(*at, &name) : context_field_env(name);
		if (field)
			extraction_add(&fields, field, name, bytes_of(equals + 1));
	}
	return fields.count && context_extract(&fields, &process_context, text, sizeof(text));
}

/* The context this process was started with (otel.md 4.7): a CGI program's request's, if it has one. Its text
 * lives in the environment's copy. */
static void read_process_context(void)
{
	if ((environ_is_cgi(environ) && read_context(true)) || read_context(false))
		process_context.remote = true;
}

static void set_protocols(void)
{
	bool correlates = correlate_configure(config.correlate_list) > 0;
	protocol_settings = (struct protocol_settings){
		.carrier = correlates ? correlate_field : context_field,
		.carrier_lengths = correlates ? correlate_field_lengths() : context_field_lengths(),
		.known_methods = config.known_method_list,
		.capture_request = {config.capture_list[0][0], config.capture_list[1][0],
				    correlate_requests() ? registry_request_fields : NULL},
		.capture_response = {config.capture_list[0][1], config.capture_list[1][1]},
		.redacted_query_keys = config.redact_key_list,
		.db_text = config_db_text(),
		.sqlcommenter = config.sqlcommenter,
	};
	protocol_settings_done();
	if (correlate_requests())
		conn_look_at_requests();
}

static void fork_prepare(void)
{
	if (running)
		exporter_fork_prepare();
}

static void fork_parent(void)
{
	if (!running)
		return;
	span_forked_parent();
	exporter_fork_parent();
}

static void fork_child(void)
{
	if (!running)
		return;
	hook_process_started();
	id_forked();
	queue_forked();
	stack_forked();
	exporter_fork_child();
	span_forked();
	conn_forked();
	atomic_store(&activities_live, 0);
	handoff_restart();
	later_restart();
	if (thread.evidence != EVIDENCE_NONE)
		thread.evidence = EVIDENCE_FORKED;
	process_span_forked();
}

static void forked_silently(bool child)
{
	if (child)
		fork_child();
	else
		fork_parent();
}

static bool flush(int timeout_ms)
{
	if (!running || !hook_same_process())
		return true;
	transfer_flush();
	call_flush();
	return exporter_flush(timeout_ms);
}

static void retire(int timeout_ms)
{
	if (!running || !hook_same_process())
		return;
	transfer_flush();
	call_flush();
	exporter_retire(timeout_ms);
}

static void leave(int timeout_ms)
{
	if (!running || !hook_same_process())
		return;
	transfer_flush();
	exporter_leave(timeout_ms);
}

/* Address space is all that our tables take until they are used; where that is rationed they must not eat the
 * host's share. */
static void fit_memory(void)
{
	struct rlimit limit;
	if (sys_call(SYS_prlimit64, 0L, (long)RLIMIT_AS, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	for (;;) {
		size_t blocks = config.max_spans < 1024 ? config.max_spans : 1024;
		size_t need = config.max_spans * sizeof(struct span) + blocks * BLOCK_SIZE +
			      WIDES(blocks) * WIDE_SIZE + config.max_connections * sizeof(struct conn) +
			      config.queue_bytes + config.max_spans * sizeof(struct transfer) +
			      call_memory(config.max_spans) + asked_memory(config.max_connections) +
			      given_memory(config.max_connections) + correlate_memory(config.max_spans) +
			      CONN_ARENAS(config.max_connections) * (size_t)PROTOCOL_ARENA_SIZE +
			      CONN_LITTLE_ARENAS(config.max_connections) * (size_t)PROTOCOL_LITTLE_ARENA;
		if (need <= limit.rlim_cur / 16 || config.max_spans <= 16)
			return;
		config.max_spans /= 2;
		config.max_connections = config.max_connections / 2 > 16 ? config.max_connections / 2 : 16;
		if (config.queue_bytes >= 128 << 10)
			config.queue_bytes /= 2;
	}
}

static bool make_tables(void)
{
	fit_memory();
	return span_init(config.max_spans) &&
	       blocks_init(config.max_spans < 1024 ? config.max_spans : 1024) &&
	       conn_init(config.max_connections, registry_protocols) &&
	       session_init(config.max_connections) && transfer_init(config.max_spans) &&
	       call_init(config.max_spans) && asked_init(config.max_connections) &&
	       given_init(config.max_connections) && correlate_init(config.max_spans) &&
	       queue_open(config.queue_bytes,
			  config.bsp_max_queue_size == UINT32_MAX ? 0 : config.bsp_max_queue_size);
}

/* Registered with libc before the program's own constructors ran, so it is called after all exit handlers and
 * destructors, with the exit code, be it exit()'s or main's. (A destructor of ours would run among the
 * others', and never learn the code.) The object stays mapped (-z nodelete). */
static void tagalong_stop(int status, void *arg)
{
	int saved = errno;
	(void)arg;
	/* Inert: a filter may forbid even getpid, and there is nothing left to say. */
	if (running && hooks_live && hook_same_process()) {
		process_span_end(status & 0xff);
		transfer_flush();
		call_flush();
		exporter_shutdown((int)config.exit_timeout);
	}
	atomic_store_explicit(&hooks_flag, false, memory_order_release);
	errno = saved;
}

/* Registered before the program's own, so called after them: quick_exit()'s handlers may have made spans. */
static void tagalong_quick_stop(void *arg)
{
	int saved = errno;
	(void)arg;
	if (hooks_live)
		flush((int)config.exit_timeout);
	errno = saved;
}

static const char *sampler_name(void)
{
	static char text[256];
	sampler_describe(text, sizeof(text));
	return text;
}

static void start(const char *own_path)
{
	for (size_t i = 0; registry_libraries[i]; i++)
		hook_resolve_library(registry_libraries[i]);
	clock_adjust();
	set_protocols();
	if (!make_tables()) {
		log_info("init", "no memory for our tables: this process is not traced");
		pool_drop_all();
		return;
	}
	environ_init(own_path, environ);
	stack_init();
	exporter_init();
	ownfd_is = exporter_owns_fd;
	ownfd_next = exporter_next_fd;
	ownfd_move = exporter_move_fd;
	process_flush = flush;
	process_retire = retire;
	process_forked = forked_silently;
	process_leave = leave;
	stack_settler = exporter_settle;
	hook_forked = fork_child;
	queue_set_waker(exporter_wake);
	read_process_context();
	foreign_atfork(fork_prepare, fork_parent, fork_child);
	on_exit(tagalong_stop, NULL);
	foreign_at_quick_exit(tagalong_quick_stop);
	running = true;
	process_span_begin();
	/* Standard descriptors may be sockets that somebody else accepted (inetd). */
	for (int fd = 0; fd < 3; fd++)
		conn_adopted(fd);
	atomic_store_explicit(&hooks_flag, true, memory_order_release);
	log_info("init",
		 "version " TAGALONG_VERSION
		 " in front: sampler %s, at most %u spans and %u connections at a time",
		 sampler_name(), config.max_spans, config.max_connections);
}

__attribute__((constructor)) static void tagalong_start(void)
{
	static char path[512];
	const char *own_path;
	int saved = errno;

	if (foreign_libc())
		return;
	hook_process_started();
	const char *name = executable_name(path, sizeof(path));
	config_load(environ, name);
	if (config.took_part) {
		if (second_copy(&own_path))
			log_info("init", "another copy of this library is in front: this one stays inert");
		else
			start(own_path);
	}
	errno = saved;
}
