/* transport_file.c - OTLP JSON lines in a file or on standard output (otel.md 2.6), and text for people.
 *
 * A line is written by one write(2) on an O_APPEND descriptor, so that many processes can share a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "exporter/ownfds.h"
#include "exporter/stats.h"
#include "exporter/transport.h"
#include "preload/counters.h"
#include "preload/log.h"
#include "preload/sys.h"

#pragma weak strerrordesc_np /* only glibc has it: preload/foreign.h */

static struct buffer line;

/* All of it, or an error; a short write is carried on at once. `torn`: it ended in the middle (a full disk).
 */
static bool write_all(int fd, const struct buffer *buffer, bool *torn)
{
	size_t done = 0;
	while (done < buffer->len) {
		long wrote = sys_write(fd, buffer->data + done, buffer->len - done);
		if (wrote == -EINTR)
			continue;
		if (wrote == -EAGAIN) {
			struct pollfd poll = {fd, POLLOUT, 0};
			if (sys_poll(&poll, 1, 1000) > 0)
				continue;
		}
		if (wrote <= 0) {
			*torn |= done > 0;
			return false;
		}
		done += (size_t)wrote;
	}
	return true;
}

struct file {
	const char *setting; /* that names it */
	const char *path;
	int slot;
	bool complained;
	bool torn; /* its last line has no end yet */
};

static struct file traces_file = {.setting = "TAGALONG_FILE", .slot = -1};
static struct file metrics_file = {.setting = "TAGALONG_METRICS_FILE", .slot = -1};
static struct file standard_output = {.slot = -1};

static int file_fd(struct file *file)
{
	if (file->slot >= 0 && ownfds_intact(file->slot))
		return ownfds_fd(file->slot);
	long fd = sys_open(file->path, O_WRONLY | O_APPEND | O_CREAT, 0644);
	if (fd < 0)
		stats_failed((int)-fd);
	file->slot = ownfds_add((int)fd);
	if (file->slot < 0 && !file->complained) {
		log_warn("export", "%s: \"%s\" cannot be opened for appending: %s", file->setting, file->path,
			 fd < 0 ? strerrordesc_np((int)-fd) : "too many descriptors");
		file->complained = true;
	}
	return ownfds_fd(file->slot);
}

static enum delivery put_line(struct file *file, size_t spans)
{
	int fd = file == &standard_output ? 1 : file_fd(file);
	buffer_byte(&line, '\n');
	if (fd >= 0 && file->torn && sys_write(fd, "\n", 1) == 1)
		file->torn = false;
	bool done = fd >= 0 && !file->torn && !line.failed && write_all(fd, &line, &file->torn);
	if (done)
		count_add(spans_exported, spans);
	else
		count_add(spans_export_failed, spans);
	buffer_clear(&line);
	return done ? DELIVERED : REFUSED;
}

static void start_file(void)
{
	buffer_forget(&line);
	traces_file.path = config.file;
	metrics_file.path = config.metrics_file;
}

static enum delivery spans_to_file(const struct batch *batch)
{
	buffer_clear(&line);
	otlp_json(&line, batch);
	return put_line(&traces_file, batch->count);
}

static enum delivery metrics_to_file(void)
{
	buffer_clear(&line);
	otlp_metrics(&line, true);
	return put_line(&metrics_file, 0);
}

static void stop_file(void)
{
	ownfds_drop(traces_file.slot);
	ownfds_drop(metrics_file.slot);
	traces_file.slot = metrics_file.slot = -1;
	buffer_free(&line);
}

static const char *file_where(void)
{
	return config.file;
}

const struct transport transport_file = {
	.kind = EXPORTER_FILE,
	.name = "otlp_file",
	.start = start_file,
	.spans = spans_to_file,
	.metrics = metrics_to_file,
	.stop = stop_file,
	.where = file_where,
};

static void start_stdout(void)
{
	buffer_forget(&line);
}

static void nothing(void)
{
}

static enum delivery spans_to_stdout(const struct batch *batch)
{
	buffer_clear(&line);
	otlp_json(&line, batch);
	return put_line(&standard_output, batch->count);
}

static enum delivery metrics_to_stdout(void)
{
	buffer_clear(&line);
	otlp_metrics(&line, true);
	return put_line(&standard_output, 0);
}

static const char *stdout_where(void)
{
	return "stdout";
}

const struct transport transport_stdout = {
	.kind = EXPORTER_STDOUT,
	.name = "otlp/stdout",
	.start = start_stdout,
	.spans = spans_to_stdout,
	.metrics = metrics_to_stdout,
	.stop = nothing,
	.where = stdout_where,
};

/* --- console: one line a span ------------------------------------------------------------------------------
 */

/* What came over the wire must not steer the terminal. */
static void put_text(struct buffer *out, const char *text)
{
	for (const char *c = text; *c; c++)
		buffer_byte(out, (uint8_t)*c < 0x20 || *c == 0x7f ? '?' : (uint8_t)*c);
}

static void put_attribute(struct buffer *out, const Otlp__KeyValue *pair)
{
	buffer_byte(out, ' ');
	put_text(out, pair->key);
	buffer_byte(out, '=');
	if (!pair->value)
		return;
	switch (pair->value->value_case) {
	case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
		put_text(out, pair->value->string_value);
		break;
	case OTLP__ANY_VALUE__VALUE_INT_VALUE:
		buffer_number(out, pair->value->int_value);
		break;
	case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
		buffer_text(out, pair->value->bool_value ? "true" : "false");
		break;
	default:
		buffer_text(out, "...");
	}
}

static void put_span(struct buffer *out, const Otlp__Span *span)
{
	static const char *const kinds[] = {"?", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
	uint64_t us = (span->end_time_unix_nano - span->start_time_unix_nano) / 1000;

	buffer_text(out, kinds[span->kind >= 0 && span->kind <= 5 ? span->kind : 0]);
	buffer_byte(out, ' ');
	put_text(out, span->name);
	buffer_byte(out, ' ');
	buffer_unsigned(out, us / 1000);
	buffer_byte(out, '.');
	buffer_byte(out, (uint8_t)('0' + us / 100 % 10));
	buffer_byte(out, (uint8_t)('0' + us / 10 % 10));
	buffer_byte(out, (uint8_t)('0' + us % 10));
	buffer_text(out, "ms trace=");
	buffer_hex(out, span->trace_id.data, span->trace_id.len);
	buffer_text(out, " span=");
	buffer_hex(out, span->span_id.data, span->span_id.len);
	if (span->parent_span_id.len) {
		buffer_text(out, " parent=");
		buffer_hex(out, span->parent_span_id.data, span->parent_span_id.len);
	}
	if (span->status && span->status->code == 2)
		buffer_text(out, " ERROR");
	for (size_t i = 0; i < span->n_attributes; i++)
		put_attribute(out, span->attributes[i]);
}

static enum delivery spans_to_console(const struct batch *batch)
{
	buffer_clear(&line);
	for (size_t i = 0; i < batch->count; i++) {
		struct bytes payload = batch->records[i].payload;
		Otlp__Span *span = otlp__span__unpack(NULL, payload.len, (const uint8_t *)payload.ptr);
		if (!span)
			continue;
		put_span(&line, span);
		if (i + 1 < batch->count)
			buffer_byte(&line, '\n');
		otlp__span__free_unpacked(span, NULL);
	}
	return put_line(&standard_output, batch->count);
}

static enum delivery metrics_to_console(void)
{
	return metrics_to_stdout();
}

const struct transport transport_console = {
	.kind = EXPORTER_CONSOLE,
	.name = "console",
	.start = start_stdout,
	.spans = spans_to_console,
	.metrics = metrics_to_console,
	.stop = nothing,
	.where = stdout_where,
};
