/* sink - the test harness's OTLP/HTTP receiver.
 *
 * usage: sink --port-file FILE --out FILE [--metrics-out FILE] [--fail N:STATUS[:RETRY_AFTER]] [--partial N]
 *             [--hang N] [--close N] [--raw FILE] [--discard yes]
 *
 * Listens on a free loopback port, written to the port file. Each traces request becomes one line of OTLP JSON, as the
 * Collector's file exporter writes it. The first N requests are answered with STATUS (--fail), as a partial success
 * (--partial), never (--hang), or by closing the connection (--close). --discard answers without looking at the body, so
 * that a benchmark does not measure us. --raw appends the request heads. SIGTERM
 * ends it. One thread, one poll loop; a plain program of the tests: allocates, uses stdio. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#include "exporter/json.h"
#include "proto/otlp.pb-c.h"

#define CLIENTS 64

struct client {
	int fd;
	char *data;
	size_t len, cap;
	bool hung;
};

static struct client clients[CLIENTS];
static FILE *out, *metrics_out, *raw;
static long fail_left, partial_left, hang_left, close_left;
static bool discard;
static int fail_status = 503;
static const char *fail_retry = "";
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void put_line(FILE *file, const struct buffer *line)
{
	if (!file)
		return;
	fwrite(line->data, 1, line->len, file);
	fputc('\n', file);
	fflush(file);
}

/* False: not what its content type says. */
static bool store(const char *path, const char *type, const char *body, size_t len)
{
	struct buffer line = {0};
	bool traces = strstr(path, "metrics") == NULL, good = true;

	if (strstr(type, "json")) {
		good = len > 1 && body[0] == '{' && !memchr(body, '\n', len);
		buffer_add(&line, body, len);
	} else {
		const ProtobufCMessageDescriptor *kind =
			traces ? &otlp__traces_data__descriptor : &otlp__metrics_data__descriptor;
		ProtobufCMessage *message = protobuf_c_message_unpack(kind, NULL, len, (const uint8_t *)body);
		good = message != NULL;
		if (message) {
			json_message(&line, message);
			protobuf_c_message_free_unpacked(message, NULL);
		}
	}
	if (good)
		put_line(traces ? out : metrics_out, &line);
	buffer_free(&line);
	return good;
}

static char *gunzip(const char *data, size_t len, size_t *out_len)
{
	size_t cap = len * 20 + 65536;
	char *plain = malloc(cap);
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = (Bytef *)plain,
			   .avail_out = (uInt)cap};
	bool good = inflateInit2(&stream, 15 + 16) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END;
	*out_len = stream.total_out;
	inflateEnd(&stream);
	if (good)
		return plain;
	free(plain);
	return NULL;
}

static void answer(struct client *client, int status, const char *fields, const char *type, const char *body, size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Answer\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status,
			 type, fields, len);
	if (write(client->fd, head, (size_t)n) != n || (len && write(client->fd, body, len) != (ssize_t)len))
		fprintf(stderr, "sink: an answer could not be written\n");
}

/* google.rpc.Status{14, "sink says no"} and ExportTraceServiceResponse{partial_success{1, "one too many"}}. */
static const char status_no[] = "\x08\x0e\x12\x0csink says no";
static const char partial_one[] = "\x0a\x10\x08\x01\x12\x0cone too many";

static void respond(struct client *client, const char *path, const char *type, const char *body, size_t len)
{
	bool json = strstr(type, "json") != NULL;
	char fields[128] = "";

	if (strcmp(path, "/v1/traces") != 0 && strcmp(path, "/v1/metrics") != 0) {
		answer(client, 404, "", "text/plain", "404 page not found\n", 19);
	} else if (!type[0]) {
		answer(client, 415, "", "text/plain", "", 0);
	} else if (fail_left > 0) {
		fail_left--;
		if (fail_retry[0])
			snprintf(fields, sizeof(fields), "Retry-After: %s\r\n", fail_retry);
		if (json)
			answer(client, fail_status, fields, type, "{\"code\":14,\"message\":\"sink says no\"}", 37);
		else
			answer(client, fail_status, fields, type, status_no, sizeof(status_no) - 1);
	} else if (!discard && !store(path, type, body, len)) {
		answer(client, 400, "", "application/json", "{\"code\":3,\"message\":\"not OTLP\"}", 31);
	} else if (partial_left > 0) {
		partial_left--;
		if (json)
			answer(client, 200, "", type, "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"one too many\"}}",
			       71);
		else
			answer(client, 200, "", type, partial_one, sizeof(partial_one) - 1);
	} else {
		answer(client, 200, "", type, json ? "{\"partialSuccess\":{}}" : "", json ? 21 : 0);
	}
}

static bool field(const char *head, const char *name, char *value, size_t cap)
{
	size_t len = strlen(name);
	value[0] = '\0';
	for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
			continue;
		const char *from = line + 3 + len;
		from += strspn(from, " ");
		snprintf(value, cap, "%.*s", (int)strcspn(from, "\r"), from);
		return true;
	}
	return false;
}

/* Takes one request off the client's bytes. False: not all there yet. */
static bool take_request(struct client *client)
{
	char value[256], type[256], path[256] = "";
	char *end = client->len ? memmem(client->data, client->len, "\r\n\r\n", 4) : NULL;
	if (!end)
		return false;
	end[2] = '\0';
	size_t head = (size_t)(end - client->data) + 4;
	size_t length = field(client->data, "content-length", value, sizeof(value)) ? strtoul(value, NULL, 10) : 0;
	if (client->len < head + length) {
		end[2] = '\r';
		return false;
	}
	if (raw) {
		fputs(client->data, raw);
		fputs("\r\n", raw);
		fflush(raw);
	}
	sscanf(client->data, "POST %255s", path);
	field(client->data, "content-type", type, sizeof(type));
	const char *body = client->data + head;
	char *plain = NULL;
	size_t len = length;
	if (field(client->data, "content-encoding", value, sizeof(value)) && strcmp(value, "gzip") == 0)
		body = plain = gunzip(body, length, &len);
	if (hang_left > 0) {
		hang_left--;
		client->hung = true;
	} else if (close_left > 0) {
		close_left--;
		shutdown(client->fd, SHUT_RDWR);
	} else {
		respond(client, path, type, body ? body : "", body ? len : 0);
	}
	free(plain);
	memmove(client->data, client->data + head + length, client->len - head - length);
	client->len -= head + length;
	return true;
}

static void drop(struct client *client)
{
	close(client->fd);
	free(client->data);
	*client = (struct client){.fd = -1};
}

static void serve(struct client *client)
{
	if (client->cap - client->len < 65537) {
		client->cap = client->cap * 2 + 131072;
		client->data = realloc(client->data, client->cap);
	}
	ssize_t got = read(client->fd, client->data + client->len, 65536);
	if (got <= 0) {
		drop(client);
		return;
	}
	client->len += (size_t)got;
	while (!client->hung && take_request(client))
		;
}

static int listen_somewhere(const char *port_file)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	char temporary[1024];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	snprintf(temporary, sizeof(temporary), "%s.new", port_file);
	FILE *file = fopen(temporary, "w");
	if (!file)
		return -1;
	fprintf(file, "%d\n", ntohs(address.sin_port));
	fclose(file);
	return rename(temporary, port_file) == 0 ? fd : -1;
}

static void loop(int listener)
{
	while (!stopping) {
		struct pollfd fds[CLIENTS + 1] = {{listener, POLLIN, 0}};
		for (int i = 0; i < CLIENTS; i++)
			fds[i + 1] = (struct pollfd){clients[i].fd, POLLIN, 0};
		if (poll(fds, CLIENTS + 1, -1) < 0)
			continue;
		if (fds[0].revents) {
			int fd = accept(listener, NULL, NULL), slot = 0;
			while (slot < CLIENTS && clients[slot].fd >= 0)
				slot++;
			if (slot < CLIENTS && fd >= 0)
				clients[slot].fd = fd;
			else if (fd >= 0)
				close(fd);
		}
		for (int i = 0; i < CLIENTS; i++)
			if (clients[i].fd >= 0 && fds[i + 1].fd == clients[i].fd && fds[i + 1].revents)
				serve(&clients[i]);
	}
}

static void parse_fail(char *text)
{
	char *status = strchr(text, ':');
	fail_left = strtol(text, NULL, 10);
	if (!status)
		return;
	fail_status = atoi(status + 1);
	char *retry = strchr(status + 1, ':');
	if (retry)
		fail_retry = retry + 1;
}

int main(int argc, char **argv)
{
	const char *port_file = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--port-file"))
			port_file = argv[i + 1];
		else if (!strcmp(argv[i], "--out"))
			out = fopen(argv[i + 1], "a");
		else if (!strcmp(argv[i], "--metrics-out"))
			metrics_out = fopen(argv[i + 1], "a");
		else if (!strcmp(argv[i], "--raw"))
			raw = fopen(argv[i + 1], "a");
		else if (!strcmp(argv[i], "--fail"))
			parse_fail(argv[i + 1]);
		else if (!strcmp(argv[i], "--discard"))
			discard = true;
		else if (!strcmp(argv[i], "--partial"))
			partial_left = atol(argv[i + 1]);
		else if (!strcmp(argv[i], "--hang"))
			hang_left = atol(argv[i + 1]);
		else if (!strcmp(argv[i], "--close"))
			close_left = atol(argv[i + 1]);
		else
			fprintf(stderr, "sink: unknown option %s\n", argv[i]);
	}
	if (!port_file) {
		fprintf(stderr, "sink: --port-file is missing\n");
		return 2;
	}
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	int listener = listen_somewhere(port_file);
	if (listener < 0) {
		perror("sink");
		return 1;
	}
	loop(listener);
	return 0;
}
