/* The thread as a whole: each test is a process of its own, with a receiver inside, for the exporter starts
 * but once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/exporter.h"
#include "preload/clock.h"
#include "preload/config.h"
#include "preload/counters.h"
#include "preload/queue.h"
#include "preload/span.h"
#include "proto/otlp.pb-c.h"
#include "tests/support/receiver.h"

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

/* TSan would rather not see fork_begins_anew: a child of several threads that starts more. */
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static struct receiver receiver;
static _Atomic int spans_received, fail_left;
static char instance[64]; /* service.instance.id of the last request */
static const char *_Atomic failure, *_Atomic success;
static char directory[] = "/tmp/test_exporter.XXXXXX";

static int spans_in(const char *body, size_t len)
{
	Otlp__TracesData *data = otlp__traces_data__unpack(NULL, len, (const uint8_t *)body);
	CHECK(data && data->n_resource_spans == 1 && data->resource_spans[0]->n_scope_spans == 1);
	const Otlp__Resource *resource = data->resource_spans[0]->resource;
	for (size_t i = 0; i < resource->n_attributes; i++)
		if (!strcmp(resource->attributes[i]->key, "service.instance.id"))
			snprintf(instance, sizeof(instance), "%s",
				 resource->attributes[i]->value->string_value);
	int count = (int)data->resource_spans[0]->scope_spans[0]->n_spans;
	otlp__traces_data__free_unpacked(data, NULL);
	return count;
}

static enum receiver_end take(struct receiver *me, int fd, const char *head, const char *body, size_t len)
{
	(void)me;
	if (atomic_load(&fail_left) > 0) {
		atomic_fetch_sub(&fail_left, 1);
		const char *how = failure;
		if (!strcmp(how, "hang")) {
			sleep(30);
			return RECEIVER_CLOSE;
		}
		receiver_say(fd, how);
		return how[0] ? RECEIVER_KEEP : RECEIVER_CLOSE;
	}
	if (strstr(head, "/v1/traces") && !strstr(head, "json"))
		atomic_fetch_add(&spans_received, spans_in(body, len));
	receiver_say(fd, success);
	return RECEIVER_KEEP;
}

static void start(const char *first, const char *second)
{
	static char endpoint[80];
	char *env[] = {endpoint,
		       "OTEL_METRICS_EXPORTER=none",
		       "OTEL_LOG_LEVEL=error",
		       (char *)(uintptr_t)first,
		       (char *)(uintptr_t)second,
		       NULL};
	receiver.answer = take;
	success = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	CHECK(receiver_start(&receiver));
	snprintf(endpoint, sizeof(endpoint), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:%u",
		 receiver.port);
	config_load(env, "test");
	clock_adjust();
	CHECK(span_init(64) && queue_open(config.queue_bytes, 0));
	exporter_init();
	queue_set_waker(exporter_wake);
}

static void put_spans(int count, size_t padding)
{
	static char filler[60000];
	for (int i = 0; i < count; i++) {
		char head[64] = "\x0a\x10"
				"0123456789abcdef\x12\x08"
				"01234567*\x01n";
		uint8_t field[4] = {0x1a, (uint8_t)(padding | 0x80), (uint8_t)(padding >> 7 | 0x80),
				    (uint8_t)(padding >> 14)};
		struct bytes parts[] = {{head, 31}, {(char *)field, 4}, {filler, padding}};
		memset(filler, 'x', sizeof(filler));
		queue_put(RECORD_SPAN, parts, padding ? 3 : 1);
	}
}

static unsigned ms_since(uint64_t from)
{
	return (unsigned)((clock_now() - from) / 1000000);
}

/* Times that threads called "tagalong" of this process have woken up; -1: there is none. */
static long wakeups(void)
{
	DIR *tasks = opendir("/proc/self/task");
	long count = -1;
	for (struct dirent *task; (task = readdir(tasks));) {
		char path[300], line[200], name[40] = "";
		long value;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		FILE *file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file)) {
			sscanf(line, "Name: %39s", name);
			if (!strcmp(name, "tagalong") &&
			    sscanf(line, "voluntary_ctxt_switches: %ld", &value) == 1)
				count = value;
		}
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return count;
}

static int idle_is_silent(void)
{
	start("OTEL_BSP_SCHEDULE_DELAY=100", NULL);
	CHECK(wakeups() == -1);
	CHECK(exporter_flush(1000));
	put_spans(3, 0);
	usleep(400000);
	CHECK(atomic_load(&spans_received) == 3);
	long before = wakeups();
	CHECK(before > 0);
	usleep(700000);
	CHECK(wakeups() == before);
	return 0;
}

static int load_wakes_seldom(void)
{
	start("OTEL_BSP_SCHEDULE_DELAY=5000", NULL);
	uint64_t from = clock_now();
	int put = 0;
	while (ms_since(from) < 1000) {
		put_spans(10, 200);
		put += 10;
		usleep(500);
	}
	CHECK(atomic_load(&receiver.requests) > 0);
	CHECK(exporter_flush(2000));
	CHECK(atomic_load(&spans_received) == put);
	CHECK(count_get(spans_exported) == (uint64_t)put && count_get(spans_queue_full) == 0);
	CHECK(atomic_load(&receiver.connections) == 1);
	return 0;
}

/* Each flush finds the thread wherever it is just then; a wake-up that is lost shows as a wait of seconds. */
static int flush_is_never_missed(void)
{
	start(NULL, NULL);
	for (int i = 1; i <= 3000; i++) {
		uint64_t from = clock_now();
		put_spans(1, 0);
		for (volatile int spin = 0; spin < i % 400; spin++)
			;
		CHECK(exporter_flush(5000));
		CHECK(ms_since(from) < 1000);
		CHECK(atomic_load(&spans_received) == i);
	}
	return 0;
}

static int flush_keeps_its_deadline(void)
{
	start(NULL, NULL);
	failure = "hang";
	atomic_store(&fail_left, 100);
	put_spans(7, 0);
	uint64_t from = clock_now();
	CHECK(!exporter_flush(200));
	CHECK(ms_since(from) >= 200 && ms_since(from) < 600);
	from = clock_now();
	exporter_shutdown(300);
	CHECK(ms_since(from) < 700);
	/* What did not get out is counted, not forgotten. */
	CHECK(count_get(spans_exported) == 0);
	CHECK(count_get(spans_export_timeout) + count_get(spans_export_failed) == 7);
	put_spans(1, 0);
	CHECK(count_get(spans_after_shutdown) == 1);
	return 0;
}

static int hold_does_not_storm(void)
{
	start("OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_EXPORTER_OTLP_TIMEOUT=500");
	failure = "";
	atomic_store(&fail_left, 1000000);
	uint64_t from = clock_now();
	/* To the brim of 4 MiB, slowly enough for a storm; on a loaded machine that takes longer. */
	while (ms_since(from) < 2500 || count_get(spans_queue_full) == 0) {
		put_spans(2, 4000);
		usleep(2000);
	}
	CHECK(count_get(spans_queue_full) > 0);
	CHECK(atomic_load(&receiver.connections) > 0);
	CHECK(atomic_load(&receiver.connections) < 12 * (1 + (int)ms_since(from) / 5000));
	atomic_store(&fail_left, 0);
	uint32_t kept = queue_records();
	CHECK(exporter_flush(5000));
	CHECK(atomic_load(&spans_received) == (int)kept);
	return 0;
}

static int retry_after_is_obeyed(void)
{
	start("OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_EXPORTER_OTLP_TIMEOUT=500");
	failure = "HTTP/1.1 429 Slow\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
	atomic_store(&fail_left, 1);
	uint64_t from = clock_now();
	put_spans(5, 0);
	while (atomic_load(&spans_received) < 5 && ms_since(from) < 8000)
		usleep(10000);
	CHECK(atomic_load(&spans_received) == 5);
	CHECK(atomic_load(&receiver.requests) == 2);
	CHECK(ms_since(from) >= 2000);
	return 0;
}

static int partial_success(const char *protocol, const char *answer)
{
	char text[300];
	start(protocol, NULL);
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(answer),
		 answer);
	success = text;
	put_spans(5, 0);
	CHECK(exporter_flush(3000));
	CHECK(count_get(spans_refused) == 2);
	CHECK(count_get(spans_exported) == 3);
	return 0;
}

static int partial_protobuf(void)
{
	return partial_success("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "\x0a\x07\x08\x02\x12\x03why");
}

static int partial_json(void)
{
	return partial_success(
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
		"{\"partialSuccess\" : {\"rejectedSpans\":  \"2\", \"errorMessage\": \"why\"}}");
}

static int refusal_is_final(void)
{
	start(NULL, NULL);
	failure = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n";
	atomic_store(&fail_left, 1);
	put_spans(5, 0);
	CHECK(exporter_flush(3000));
	put_spans(2, 0);
	CHECK(exporter_flush(3000));
	CHECK(atomic_load(&receiver.requests) == 2);
	CHECK(atomic_load(&spans_received) == 2);
	CHECK(count_get(spans_export_failed) == 5 && count_get(spans_exported) == 2);
	return 0;
}

/* A file's number in the parent must not be taken for the child's first socket. */
static int fork_begins_anew(void)
{
#ifdef __SANITIZE_THREAD__
	fputs("fork_begins_anew: left out, TSan does not follow threads that a forked child starts\n", stderr);
	return 0;
#endif
	char file[100], setting[120], parent[64];
	struct stat before, after;
	int status;
	snprintf(file, sizeof(file), "%s/spans.jsonl", directory);
	snprintf(setting, sizeof(setting), "TAGALONG_FILE=%s", file);
	start("OTEL_TRACES_EXPORTER=otlp_file,otlp", setting);
	put_spans(4, 0);
	CHECK(exporter_flush(3000));
	CHECK(atomic_load(&spans_received) == 4 && stat(file, &before) == 0 && before.st_size > 0);
	memcpy(parent, instance, sizeof(parent));
	put_spans(6, 0); /* the parent's: not the child's to export */
	exporter_fork_prepare();
	pid_t child = fork();
	if (child) {
		exporter_fork_parent();
		CHECK(waitpid(child, &status, 0) == child && status == 0);
		CHECK(stat(file, &after) == 0 && after.st_size > before.st_size);
		CHECK(exporter_flush(3000));
		CHECK(atomic_load(&spans_received) == 10);
		return 0;
	}
	queue_forked();
	exporter_fork_child();
	CHECK(receiver_start(&receiver)); /* the threads of the old one are the parent's */
	config.traces.port = (uint16_t)receiver.port;
	atomic_store(&spans_received, 0);
	CHECK(queue_records() == 0 && exporter_next_fd(0, ~0u) == -1);
	put_spans(1, 0);
	CHECK(exporter_flush(3000));
	CHECK(atomic_load(&spans_received) == 1);
	CHECK(strlen(instance) == 36 && strcmp(instance, parent) != 0);
	CHECK(count_get(spans_exported) == 2); /* a file and a receiver have each taken it */
	_exit(0);
}

static int lost_descriptors_are_reopened(void)
{
	char file[100], setting[120], text[20000] = "";
	snprintf(file, sizeof(file), "%s/lost.jsonl", directory);
	snprintf(setting, sizeof(setting), "TAGALONG_FILE=%s", file);
	start("OTEL_TRACES_EXPORTER=otlp_file,otlp", setting);
	put_spans(1, 0);
	CHECK(exporter_flush(3000));
	for (int fd; (fd = exporter_next_fd(0, ~0u)) >= 0;) {
		close(fd); /* past our hooks */
		put_spans(1, 0);
		CHECK(exporter_flush(3000));
		if (count_get(fds_rescued) >= 4)
			break;
	}
	CHECK(count_get(fds_rescued) == 4);
	CHECK(atomic_load(&spans_received) == 5);
	FILE *in = fopen(file, "r");
	int lines = 0;
	while (fgets(text, sizeof(text), in))
		lines++;
	CHECK(lines == 5);
	fclose(in);
	return 0;
}

/* --- one process a test ------------------------------------------------------------------------------------
 */

static void in_child(void **state)
{
	int (*test)(void) = *(int (**)(void)) * state;
	int status;
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		_exit(test());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define ROW(name)           \
	{                   \
#name, name \
	}
	static struct {
		const char *name;
		int (*run)(void);
	} all[] = {ROW(idle_is_silent),
		   ROW(load_wakes_seldom),
		   ROW(flush_is_never_missed),
		   ROW(flush_keeps_its_deadline),
		   ROW(hold_does_not_storm),
		   ROW(retry_after_is_obeyed),
		   ROW(partial_protobuf),
		   ROW(partial_json),
		   ROW(refusal_is_final),
		   ROW(fork_begins_anew),
		   ROW(lost_descriptors_are_reopened)};
	struct CMUnitTest tests[sizeof(all) / sizeof(all[0])];
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		tests[i] = (struct CMUnitTest){all[i].name, in_child, NULL, NULL, &all[i].run};
	if (!mkdtemp(directory))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) || failed;
}
