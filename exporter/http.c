#include "exporter/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "exporter/ownfds.h"
#include "exporter/resolve.h"
#include "preload/clock.h"
#include "preload/sys.h"

static int left_ms(uint64_t deadline)
{
	uint64_t now = clock_now();
	if (now >= deadline)
		return 0;
	uint64_t ms = (deadline - now) / 1000000 + 1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static bool wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd poll = {fd, events, 0};
	for (;;) {
		int ms = left_ms(deadline);
		long n = ms ? sys_poll(&poll, 1, ms) : 0;
		if (n != -EINTR)
			return n > 0;
	}
}

/* --- connecting ------------------------------------------------------------------------------------------
 */

static bool connect_to(struct http_client *client, const struct sockaddr *address, socklen_t len,
		       uint64_t deadline)
{
	int fd = (int)sys_socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, error = 0;
	socklen_t size = sizeof(error);

	client->slot = ownfds_add(fd);
	fd = ownfds_fd(client->slot);
	if (fd < 0)
		return false;
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	long result = sys_connect(fd, address, len);
	if (result == 0)
		return true;
	if (result == -EINPROGRESS && wait_for(fd, POLLOUT, deadline) &&
	    sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
		return true;
	http_close(client);
	return false;
}

static bool connect_numeric(struct http_client *client, const char *host, uint64_t deadline)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(client->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(client->port)};
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		return connect_to(client, (struct sockaddr *)&in, sizeof(in), deadline);
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
		return connect_to(client, (struct sockaddr *)&in6, sizeof(in6), deadline);
	return false;
}

static bool is_numeric(const char *host)
{
	struct in6_addr scratch;
	return inet_pton(AF_INET, host, &scratch) == 1 || inet_pton(AF_INET6, host, &scratch) == 1;
}

static bool connect_name(struct http_client *client, uint64_t deadline)
{
	struct addrinfo *list = resolve_name(client->host, client->port);
	bool done = false;
	for (struct addrinfo *at = list; at && !done; at = at->ai_next)
		done = connect_to(client, at->ai_addr, at->ai_addrlen, deadline);
	resolve_release(list);
	return done;
}

static bool connect_host(struct http_client *client, uint64_t deadline)
{
	if (strcmp(client->host, "localhost") == 0)
		return connect_numeric(client, "127.0.0.1", deadline) ||
		       connect_numeric(client, "::1", deadline);
	if (is_numeric(client->host))
		return connect_numeric(client, client->host, deadline);
	return connect_name(client, deadline);
}

void http_close(struct http_client *client)
{
	ownfds_drop(client->slot);
	client->slot = -1;
}

/* --- sending ----------------------------------------------------------------------------------------------
 */

static bool send_all(struct http_client *client, struct bytes head, struct bytes body, uint64_t deadline)
{
	size_t done = 0, total = head.len + body.len;
	while (done < total) {
		struct bytes left = bytes_from(head, done);
		struct bytes rest = bytes_from(body, done < head.len ? 0 : done - head.len);
		struct iovec parts[] = {{(void *)(uintptr_t)left.ptr, left.len},
					{(void *)(uintptr_t)rest.ptr, rest.len}};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		int fd = ownfds_fd(client->slot);
		long sent = sys_call(SYS_sendmsg, (long)fd, &message, (long)MSG_NOSIGNAL);
		if (sent > 0)
			done += (size_t)sent;
		else if (sent == -EAGAIN && !wait_for(fd, POLLOUT, deadline))
			return false;
		else if (sent != -EAGAIN && sent != -EINTR)
			return false;
	}
	return true;
}

/* --- the answer
 * --------------------------------------------------------------------------------------------- */

struct reader {
	struct http_client *client;
	uint64_t deadline;
	struct buffer in;
	size_t at;
	bool timed_out, too_large;
};

static bool read_more(struct reader *reader)
{
	if (reader->in.len > HTTP_RESPONSE_MAX + 65536) {
		reader->too_large = true;
		return false;
	}
	if (!buffer_reserve(&reader->in, 16384))
		return false;
	for (;;) {
		int fd = ownfds_fd(reader->client->slot);
		long got = sys_recv(fd, reader->in.data + reader->in.len, 16384, 0);
		if (got > 0) {
			reader->in.len += (size_t)got;
			return true;
		}
		if (got == -EAGAIN) {
			if (!wait_for(fd, POLLIN, reader->deadline)) {
				reader->timed_out = true;
				return false;
			}
		} else if (got != -EINTR) {
			return false;
		}
	}
}

static bool read_line(struct reader *reader, struct bytes *line)
{
	for (;;) {
		struct bytes rest = bytes_from(buffer_bytes(&reader->in), reader->at);
		size_t end = bytes_find(rest, '\n');
		if (end < rest.len) {
			*line = bytes_until(rest, end && rest.ptr[end - 1] == '\r' ? end - 1 : end);
			reader->at += end + 1;
			return true;
		}
		if (rest.len > 65536 || !read_more(reader))
			return false;
	}
}

static bool read_exactly(struct reader *reader, size_t count, struct buffer *to)
{
	if (count > HTTP_RESPONSE_MAX || to->len + count > HTTP_RESPONSE_MAX) {
		reader->too_large = true;
		return false;
	}
	while (reader->in.len - reader->at < count)
		if (!read_more(reader))
			return false;
	buffer_add(to, reader->in.data + reader->at, count);
	reader->at += count;
	return true;
}

static bool parse_size(struct bytes text, unsigned base, size_t *out)
{
	size_t value = 0;
	if (text.len == 0 || text.len > 15)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = bytes_lower(text.ptr[i]);
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							: 99;
		if (digit >= base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return true;
}

static bool read_chunked(struct reader *reader, struct buffer *body)
{
	struct bytes line;
	size_t size;
	while (read_line(reader, &line)) {
		if (!parse_size(bytes_trim(bytes_until(line, bytes_find(line, ';'))), 16, &size))
			return false;
		if (size == 0) {
			while (read_line(reader, &line))
				if (line.len == 0)
					return true;
			return false;
		}
		if (!read_exactly(reader, size, body) || !read_line(reader, &line))
			return false;
	}
	return false;
}

struct head {
	bool has_length, chunked;
	size_t length;
};

static bool field_is(struct bytes name, const char *want)
{
	return bytes_equal_nocase(name, bytes_of(want));
}

static bool read_fields(struct reader *reader, struct http_response *response, struct head *head)
{
	struct bytes line;
	while (read_line(reader, &line)) {
		if (line.len == 0)
			return true;
		size_t colon = bytes_find(line, ':');
		struct bytes name = bytes_until(line, colon), value = bytes_trim(bytes_from(line, colon + 1));
		if (field_is(name, "content-length"))
			head->has_length = parse_size(value, 10, &head->length);
		else if (field_is(name, "transfer-encoding"))
			head->chunked = bytes_equal_nocase(value, BYTES("chunked"));
		else if (field_is(name, "connection"))
			response->keep = !bytes_equal_nocase(value, BYTES("close"));
		else if (field_is(name, "content-encoding"))
			response->gzip = bytes_equal_nocase(value, BYTES("gzip"));
		else if (field_is(name, "retry-after"))
			response->retry_after =
				http_retry_after(value, (int64_t)(clock_wall(clock_now()) / 1000000000u));
	}
	return false;
}

static bool read_status(struct reader *reader, struct http_response *response)
{
	struct bytes line;
	size_t status;
	if (!read_line(reader, &line) || line.len < 12 || !bytes_starts(line, BYTES("HTTP/1.")) ||
	    !parse_size((struct bytes){line.ptr + 9, 3}, 10, &status))
		return false;
	response->status = (int)status;
	response->keep = line.ptr[7] != '0';
	response->retry_after = -1;
	response->gzip = false;
	return true;
}

static bool read_answer(struct reader *reader, struct http_response *response)
{
	struct head head;
	do {
		head = (struct head){0};
		if (!read_status(reader, response) || !read_fields(reader, response, &head))
			return false;
	} while (response->status < 200);
	if (response->status == 204 || response->status == 304)
		return true;
	if (head.chunked)
		return read_chunked(reader, &response->body);
	if (head.has_length)
		return read_exactly(reader, head.length, &response->body);
	response->keep = false;
	while (read_more(reader))
		;
	if (reader->timed_out || reader->too_large)
		return false;
	return read_exactly(reader, reader->in.len - reader->at, &response->body);
}

static enum http_result attempt(struct http_client *client, struct bytes head, struct bytes body,
				uint64_t deadline, struct http_response *response)
{
	struct reader reader = {.client = client, .deadline = deadline};

	buffer_clear(&response->body);
	bool sent = send_all(client, head, body, deadline);
	/* A server may answer before it has read it all, and hang up (413): what came counts, nothing is
	 * waited for. */
	if (!sent)
		reader.deadline = clock_now();
	bool whole = read_answer(&reader, response);
	enum http_result result = whole                                         ? HTTP_DONE
				  : left_ms(deadline) == 0                      ? HTTP_TIMEOUT
				  : sent && (reader.too_large || reader.in.len) ? HTTP_BROKEN
										: HTTP_UNREACHABLE;
	buffer_free(&reader.in);
	if (!sent || !whole || !response->keep)
		http_close(client);
	return result;
}

enum http_result http_post(struct http_client *client, struct bytes head, struct bytes body,
			   uint64_t deadline, struct http_response *response)
{
	bool kept = client->slot >= 0 && ownfds_intact(client->slot);
	if (!kept)
		client->slot = -1;
	if (!kept && !connect_host(client, deadline))
		return left_ms(deadline) ? HTTP_UNREACHABLE : HTTP_TIMEOUT;
	enum http_result result = attempt(client, head, body, deadline, response);
	/* The server may have closed a kept connection just then: that is no failure yet. */
	if (result == HTTP_UNREACHABLE && kept && connect_host(client, deadline))
		result = attempt(client, head, body, deadline, response);
	return result;
}

/* Days since 1970 of a civil date. */
static int64_t days_of(int year, int month, int day)
{
	year -= month <= 2;
	int64_t era = year / 400, yoe = year - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t http_retry_after(struct bytes value, int64_t unix_now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	size_t seconds;
	char text[40], month[4];
	int day, year, hour, minute, second;

	if (parse_size(value, 10, &seconds))
		return seconds > 86400 ? 86400000 : (int64_t)seconds * 1000;
	if (value.len >= sizeof(text))
		return -1;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute, &second) !=
	    6)
		return -1;
	const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!at || (at - months) % 3)
		return -1;
	int64_t when =
		days_of(year, (int)(at - months) / 3 + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
	return when > unix_now ? (when - unix_now) * 1000 : 0;
}
