/* play.c - conversations, played with their bytes cut in every way. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

long plays, failures;
static struct store store;

void plan_faults(const struct way *way, int fd)
{
	if (!faults)
		return;
	faults->fd = -1;
	faults->steps = way->steps;
	faults->repeat = way->repeat;
	memcpy(faults->step, way->step, sizeof(way->step));
	faults->calls = faults->hits = 0;
	faults->fd = way->steps ? fd : -1;
}

void complain(const char *name, const struct way *way, const char *why)
{
	static const char *const transport[] = {"unix", "tcp", "socketpair"};
	static const char *const fault[] = {"-", "EAGAIN", "EINTR", "short", "all but one", "half"};
	if (failures++ >= 25)
		return;
	printf("FAILED: %s: %s, %s, %s, cut at %zu and %zu", name, method_name[way->method], transport[way->transport],
	       way->nonblocking ? "non-blocking" : "blocking", way->cut[0], way->cut[1]);
	for (int i = 0; i < way->steps; i++)
		printf(", %s %u", fault[way->step[i].fault], way->step[i].bytes);
	printf("%s:\n    %s\n", way->repeat ? " for ever" : "", why);
}

static void expectations(const struct conversation *c, const struct way *way, enum expect *expect)
{
	for (int i = 0; i < c->heads; i++)
		expect[i] = bare || way->method >= METHODS_EDITED ? EXPECT_NOTHING : c->head[i].expect;
}

/* One turn of the client, cut where the way says. */
static bool client_turn(struct sender *sender, const struct conversation *c, const struct turn *turn)
{
	size_t from = turn->from, to = turn->from + turn->len;
	for (int i = 0; i < 2; i++) {
		size_t at = sender->way->cut[i];
		if (at <= from || at >= to)
			continue;
		if (!sender_send(sender, c->stream[1] + from, at - from, true))
			return false;
		from = at;
	}
	return sender_send(sender, c->stream[1] + from, to - from, false);
}

static bool read_exactly(int fd, const char *expected, size_t len)
{
	char buffer[4096];
	while (len > 0) {
		ssize_t got = recv(fd, buffer, len < sizeof(buffer) ? len : sizeof(buffer), 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0 || memcmp(buffer, expected, (size_t)got) != 0)
			return false;
		expected += got;
		len -= (size_t)got;
	}
	return true;
}

static void play(const struct conversation *c, const struct way *way)
{
	struct sender sender = {.way = way, .store = &store};
	enum expect expect[MOST_HEADS];

	plays++;
	store.len = 0;
	ends_make(way->transport, false, &sender.host, &sender.peer);
	if (way->nonblocking)
		fcntl(sender.host, F_SETFL, O_NONBLOCK);
	plan_faults(way, sender.host);
	for (int i = 0; i < c->turns && !sender.why[0]; i++) {
		const struct turn *turn = &c->turn[i];
		if (turn->client) {
			client_turn(&sender, c, turn);
		} else {
			if (raw.send(sender.peer, c->stream[0] + turn->from, turn->len, MSG_NOSIGNAL) != (ssize_t)turn->len ||
			    !read_exactly(sender.host, c->stream[0] + turn->from, turn->len))
				snprintf(sender.why, sizeof(sender.why), "the answer did not come through");
		}
	}
	if (faults)
		faults->fd = -1;
	close(sender.host);
	store_take(&store, sender.peer, true);
	raw.close(sender.peer);
	expectations(c, way, expect);
	const char *why = sender.why[0] ? sender.why : check_stream(c, expect, store.bytes, store.len);
	if (why)
		complain(c->name, way, why);
}

/* --- which ways --------------------------------------------------------------------------------------- */

static void every_cut(const struct conversation *c)
{
	bool brief = c->len[1] < 600;
	for (size_t cut = 0; cut < c->len[1]; cut++) {
		if (!brief && cut > 200 && cut + 200 < c->len[1] && cut % 97)
			continue;
		for (int method = 0; method < METHODS; method++) {
			if (!brief && (cut + (size_t)method) % 4)
				continue;
			for (int transport = 0; transport < TRANSPORTS; transport++) {
				/* TCP costs the most, and differs the least. */
				if (transport == OVER_TCP && (cut + (size_t)method) % 3)
					continue;
				struct way way = {.transport = (enum transport)transport, .method = (enum method)method,
						  .nonblocking = (cut + (size_t)method + (size_t)transport) % 2,
						  .cut = {cut, 0}};
				play(c, &way);
			}
		}
	}
}

static void every_pair_of_cuts(const struct conversation *c)
{
	unsigned turn = 0;
	if (c->len[1] > 200)
		return;
	for (size_t a = 1; a < c->len[1]; a++)
		for (size_t b = a + 1; b < c->len[1]; b++, turn++) {
			struct way way = {.method = (enum method)(turn % METHODS_EDITED), .nonblocking = turn / 9 % 2,
					  .transport = turn % 5 ? OVER_UNIX : OVER_PAIR, .cut = {a, b}};
			play(c, &way);
		}
}

/* The kernel takes only `first` bytes of the first write, wherever in our own line that ends; then something else. */
static void every_short_write(const struct conversation *c)
{
	static const struct fault_step then[] = {
		{FAULT_NONE, 0}, {FAULT_EAGAIN, 0}, {FAULT_EINTR, 0}, {FAULT_SHORT, 1}, {FAULT_ALL_BUT_ONE, 0}};
	size_t most = c->len[1] + 140;

	for (size_t first = 1; first <= most; first++) {
		if (most > 800 && first > 300 && first + 300 < most && first % 89)
			continue;
		for (unsigned i = 0; i < 2 * sizeof(then) / sizeof(then[0]); i++) {
			size_t turn = first + i;
			for (int method = (int)(turn % 3); method < METHODS; method += 3) {
				struct way way = {.method = (enum method)method, .nonblocking = i % 2,
						  .step = {{FAULT_SHORT, (unsigned)first}, then[i / 2], {FAULT_SHORT, 1}, then[i / 2]},
						  .steps = 4};
				way.transport = turn % 7 == 0 ? OVER_TCP : turn % 7 == 1 ? OVER_PAIR : OVER_UNIX;
				play(c, &way);
			}
		}
	}
}

static void every_fault_at_every_cut(const struct conversation *c)
{
	static const struct fault_step kinds[] = {
		{FAULT_EAGAIN, 0}, {FAULT_EINTR, 0}, {FAULT_SHORT, 1}, {FAULT_ALL_BUT_ONE, 0}, {FAULT_HALF, 0}};
	unsigned turn = 0;

	for (size_t cut = 1; cut < c->len[1]; cut++) {
		if (c->len[1] > 600 && cut > 100 && cut + 100 < c->len[1] && cut % 293)
			continue;
		for (int call = 0; call < 4; call++)
			for (unsigned kind = 0; kind < 5; kind++, turn++) {
				struct way way = {.method = (enum method)(turn % METHODS_EDITED), .nonblocking = turn / 9 % 2,
						  .steps = call + 1, .cut = {cut, 0}};
				way.step[call] = kinds[kind];
				play(c, &way);
			}
	}
}

/* Only a few bytes at a time, all the way. */
static void trickles(const struct conversation *c)
{
	for (unsigned bytes = c->len[1] > 600 ? 7 : 1; bytes < 24; bytes += c->len[1] > 600 ? 8 : 1)
		for (int method = 0; method < METHODS; method++)
			for (int mode = 0; mode < 2; mode++) {
				struct way way = {.method = (enum method)method, .nonblocking = mode, .steps = 1, .repeat = true,
						  .step = {{FAULT_SHORT, bytes}}};
				play(c, &way);
			}
}

void play_requests(const struct conversation *c)
{
	every_cut(c);
	every_pair_of_cuts(c);
	if (!faults)
		return;
	every_short_write(c);
	every_fault_at_every_cut(c);
	trickles(c);
}
