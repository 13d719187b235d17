/* serve.c - the host as a server (whose answers are nobody's to edit), as a reader, as a proxy, and under pressure. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct store store;

/* --- answers ------------------------------------------------------------------------------------------ */

static void take_request(int peer, int host, const char *bytes, size_t len)
{
	char buffer[4096];
	if (raw.send(peer, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	while (len > 0) {
		ssize_t got = read(host, buffer, len < sizeof(buffer) ? len : sizeof(buffer));
		if (got <= 0)
			abort();
		len -= (size_t)got;
	}
}

static void serve(const struct conversation *c, const struct way *way)
{
	struct sender sender = {.way = way, .store = &store};
	struct conversation answers = {.stream = {NULL, c->stream[0]}, .len = {0, c->len[0]}};

	plays++;
	store.len = 0;
	ends_make(way->transport, true, &sender.host, &sender.peer);
	for (int i = 0; i < c->turns && !sender.why[0]; i++) {
		const struct turn *turn = &c->turn[i];
		size_t from = turn->from, to = turn->from + turn->len, cut = way->cut[0];
		if (turn->client) {
			plan_faults(&(struct way){0}, -1);
			fcntl(sender.host, F_SETFL, 0);
			take_request(sender.peer, sender.host, c->stream[1] + from, turn->len);
			continue;
		}
		fcntl(sender.host, F_SETFL, way->nonblocking ? O_NONBLOCK : 0);
		plan_faults(way, sender.host);
		if (cut > from && cut < to && sender_send(&sender, c->stream[0] + from, cut - from, true))
			from = cut;
		if (!sender.why[0])
			sender_send(&sender, c->stream[0] + from, to - from, false);
	}
	plan_faults(&(struct way){0}, -1);
	close(sender.host);
	store_take(&store, sender.peer, true);
	raw.close(sender.peer);
	const char *why = sender.why[0] ? sender.why : check_stream(&answers, NULL, store.bytes, store.len);
	if (why)
		complain(c->name, way, why);
}

void play_responses(const struct conversation *c)
{
	static const struct fault_step kinds[] = {{FAULT_NONE, 0}, {FAULT_EAGAIN, 0}, {FAULT_EINTR, 0}, {FAULT_SHORT, 1}, {FAULT_HALF, 0}};
	unsigned turn = 0;
	for (size_t cut = 0; cut < c->len[0]; cut++)
		for (int method = 0; method < METHODS; method++, turn++) {
			struct way way = {.method = (enum method)method, .nonblocking = turn % 2, .cut = {cut, 0}, .steps = 2,
					  .transport = turn % 7 ? OVER_UNIX : OVER_TCP};
			way.step[0] = kinds[turn % 5];
			way.step[1] = kinds[turn / 5 % 5];
			serve(c, &way);
		}
}

/* --- reading: one line of log for each call; the same bare and preloaded ------------------------------- */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static unsigned digest(const char *bytes, ssize_t len)
{
	unsigned sum = 2166136261u;
	for (ssize_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * 16777619u;
	return sum;
}

enum { READS = 14 };

static ssize_t one_read(int op, int fd, char *buffer, size_t want, const char **name)
{
	struct iovec iov[2] = {{buffer, want / 2}, {buffer + want / 2, want - want / 2}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	struct mmsghdr many = {.msg_hdr = message};
	int got;
	static const char *const names[READS] = {
		"read", "readv", "recv", "peek", "waitall", "dontwait", "trunc", "recvfrom", "recvmsg", "recvmsg peek",
		"recvmmsg", "preadv2", "recv 0", "read 0"};

	*name = names[op];
	switch (op) {
	case 0: return read(fd, buffer, want);
	case 1: return readv(fd, iov, 2);
	case 2: return recv(fd, buffer, want, 0);
	case 3: return recv(fd, buffer, want, MSG_PEEK);
	case 4: return recv(fd, buffer, want, MSG_WAITALL);
	case 5: return recv(fd, buffer, want, MSG_DONTWAIT);
	case 6: return recv(fd, buffer, want, MSG_TRUNC);
	case 7: return recvfrom(fd, buffer, want, 0, NULL, NULL);
	case 8: return recvmsg(fd, &message, 0);
	case 9: return recvmsg(fd, &message, MSG_PEEK);
	case 10:
		got = recvmmsg(fd, &many, 1, MSG_DONTWAIT, NULL);
		return got < 0 ? got : (ssize_t)many.msg_len;
	case 11: return preadv2(fd, iov, 2, -1, 0);
	case 12: return recv(fd, buffer, 0, 0);
	default: return read(fd, buffer, 0);
	}
}

static int waiting(int fd)
{
	int count = 0;
	ioctl(fd, FIONREAD, &count);
	return count;
}

static void log_reads(FILE *log, int host, unsigned *seed)
{
	char buffer[8192];
	const char *name;
	for (int calls = 0; waiting(host) > 0 && calls < 4000; calls++) {
		int have = waiting(host);
		int op = (int)(next_random(seed) % READS);
		size_t want = 1 + next_random(seed) % (next_random(seed) % 3 ? 40 : 5000);
		if (op == 4 && want > (size_t)have)
			want = (size_t)have;
		memset(buffer, '#', sizeof(buffer));
		errno = 0;
		ssize_t got = one_read(op, host, buffer, want, &name);
		fprintf(log, "%s %zu of %d: %zd %d %08x\n", name, want, have, got, got < 0 ? errno : 0,
			digest(buffer, sizeof(buffer)));
	}
	errno = 0;
	ssize_t got = recv(host, buffer, 10, MSG_DONTWAIT);
	fprintf(log, "empty: %zd %d\n", got, errno);
}

static void read_play(FILE *log, const struct conversation *c, bool host_accepts, enum transport transport, unsigned seed)
{
	int host, peer;
	char rest[10];
	struct way way = {.steps = seed % 2 ? 6 : 0,
			  .step = {{FAULT_SHORT, 3}, {FAULT_EINTR, 0}, {FAULT_HALF, 0}, {FAULT_SHORT, 1}, {FAULT_EINTR, 0},
				   {FAULT_ALL_BUT_ONE, 0}}};

	plays++;
	ends_make(transport, host_accepts, &host, &peer);
	fprintf(log, "%s %s %d\n", c->name, host_accepts ? "server" : "client", transport);
	for (int i = 0; i < c->turns; i++) {
		const struct turn *turn = &c->turn[i];
		const char *bytes = c->stream[turn->client] + turn->from;
		if (turn->client != host_accepts) { /* the host's own turn */
			for (size_t done = 0; done < turn->len;) {
				ssize_t sent = write(host, bytes + done, turn->len - done);
				if (sent <= 0)
					abort();
				done += (size_t)sent;
			}
			store.len = 0;
			store_take(&store, peer, false);
			continue;
		}
		if (raw.send(peer, bytes, turn->len, MSG_NOSIGNAL) != (ssize_t)turn->len)
			abort();
		for (int tries = 0; tries < 2000 && transport == OVER_TCP && waiting(host) < (int)turn->len; tries++)
			usleep(500);
		plan_faults(&way, host);
		log_reads(log, host, &seed);
		plan_faults(&(struct way){0}, -1);
	}
	raw.close(peer);
	fprintf(log, "end: %zd %d\n", recv(host, rest, 10, 0), waiting(host));
	close(host);
}

void play_reads(const struct conversation *c, const char *path)
{
	FILE *log = fopen(path, "a");
	for (unsigned seed = 0; seed < (c->len[1] > 600 ? 10u : 80u); seed++)
		for (int role = 0; role < 2; role++)
			read_play(log, c, role, seed / 2 % 2 ? OVER_TCP : OVER_UNIX, seed);
	fclose(log);
}

/* --- a proxy that passes on the context it received ----------------------------------------------------- */

static char proxied[400];
static size_t proxied_len, value_at, digits_at;

static void make_proxied(unsigned number)
{
	proxied_len = (size_t)snprintf(proxied, sizeof(proxied),
				       "GET /up HTTP/1.1\r\nHost: up\r\ntraceparent: 00-0af7651916cd43dd8448eb21%08x-b7ad6b71%08x-01\r\n"
				       "X-More: 1\r\n\r\n", number + 1, number + 1);
	value_at = (size_t)(strstr(proxied, "00-0af7") - proxied);
	digits_at = value_at + 36;
}

/* Returns whether the span id became another one. */
static bool pass_on(const struct way *way)
{
	static unsigned number;
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct sender up = {.way = way, .store = &store};
	int host, client;
	size_t cut = way->cut[0];
	char buffer[200];

	plays++;
	store.len = 0;
	make_proxied(number++);
	ends_make(OVER_UNIX, true, &host, &client);
	take_request(client, host, proxied, proxied_len);
	ends_make(way->transport, false, &up.host, &up.peer);
	if (way->nonblocking)
		fcntl(up.host, F_SETFL, O_NONBLOCK);
	plan_faults(way, up.host);
	if (cut)
		sender_send(&up, proxied, cut, true);
	if (!up.why[0])
		sender_send(&up, proxied + cut, proxied_len - cut, false);
	plan_faults(&(struct way){0}, -1);
	if (raw.send(up.peer, answer, sizeof(answer) - 1, 0) < 0 || (fcntl(up.host, F_SETFL, 0), read(up.host, buffer, 200)) <= 0 ||
	    write(host, answer, sizeof(answer) - 1) != sizeof(answer) - 1)
		complain("proxy", way, "the answer did not pass");
	close(up.host);
	store_take(&store, up.peer, true);
	raw.close(up.peer);
	close(host);
	raw.close(client);
	if (up.why[0]) {
		complain("proxy", way, up.why);
		return false;
	}
	if (store.len == proxied_len && !memcmp(store.bytes, proxied, proxied_len))
		return false;
	const char *why = store.len != proxied_len ? "another length" : check_replaced(proxied, store.bytes, store.len, digits_at);
	if (why)
		complain("proxy", way, why);
	return true;
}

static void must_be(bool replaced, bool wanted, const struct way *way)
{
	if (replaced != (wanted && !bare))
		complain("proxy", way, replaced ? "the span id was replaced" : "the span id was not replaced");
}

void play_proxy(void)
{
	int kept = 0, asked = 0;
	make_proxied(0);
	for (size_t cut = 0; cut < proxied_len; cut++)
		for (int method = 0; method < METHODS_EDITED; method++) {
			struct way way = {.method = (enum method)method, .nonblocking = cut % 2, .cut = {cut, 0}};
			bool replaced = pass_on(&way);
			if (method == BY_SENDMMSG)
				continue; /* cut once more, anywhere */
			/* A value that is not all there, the end of its line included, cannot be judged when its
			 * digits must go: it stays. Documented. */
			if (cut > value_at && cut <= value_at + 56) {
				if (cut > digits_at && cut < digits_at + 16)
					must_be(replaced, false, &way);
				asked++;
				kept += !replaced;
			} else {
				must_be(replaced, true, &way);
			}
		}
	for (unsigned first = 1; faults && first < proxied_len; first++)
		for (int method = 0; method < METHODS_EDITED; method++) {
			struct way way = {.method = (enum method)method, .nonblocking = first % 2, .steps = 4,
					  .step = {{FAULT_SHORT, first}, {FAULT_EAGAIN, 0}, {FAULT_SHORT, 1}, {FAULT_EINTR, 0}}};
			bool replaced = pass_on(&way);
			if (method != BY_SENDMMSG && (first < value_at || first > digits_at))
				must_be(replaced, true, &way);
		}
	printf("proxy: cut inside the value %d times, left as it was %d times\n", asked, kept);
}

/* --- a slow reader and small buffers: the kernel's own short counts and refusals ------------------------ */

static void *read_slowly(void *arg)
{
	int peer = *(int *)arg;
	for (;;) {
		if (store.room - store.len < 65536)
			store.bytes = realloc(store.bytes, store.room = 2 * store.room + 131072);
		ssize_t got = raw.recv(peer, store.bytes + store.len, 700 + store.len % 900, 0);
		if (got <= 0)
			return NULL;
		store.len += (size_t)got;
		if (store.len % 7 == 0)
			usleep(50);
	}
}

void play_pressure(const struct conversation *c)
{
	for (int i = 0; i < 4 * METHODS_EDITED; i++) {
		struct way way = {.transport = i % 2 ? OVER_TCP : OVER_UNIX, .method = (enum method)(i / 4), .nonblocking = i / 2 % 2};
		struct sender sender = {.way = &way};
		enum expect expect = bare ? EXPECT_NOTHING : EXPECT_LINE;
		int small = 2048;
		pthread_t thread;

		plays++;
		store.len = 0;
		ends_make(way.transport, false, &sender.host, &sender.peer);
		setsockopt(sender.host, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		fcntl(sender.host, F_SETFL, way.nonblocking ? O_NONBLOCK : 0);
		plan_faults(&(struct way){0}, -1);
		pthread_create(&thread, NULL, read_slowly, &sender.peer);
		sender_send(&sender, c->stream[1], c->len[1], false);
		close(sender.host);
		pthread_join(thread, NULL);
		raw.close(sender.peer);
		const char *why = sender.why[0] ? sender.why : check_stream(c, &expect, store.bytes, store.len);
		if (why)
			complain(c->name, &way, why);
	}
}
