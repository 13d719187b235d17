/* gnutls_exact CERTIFICATE: HTTP/1 requests through GnuTLS to itself, by transport functions of this program's own over pipes
 * that are full all the time, by every call that sends and every call that reads. Sees to it that what arrives is what was
 * sent, and that each call answers what it must. Prints how many requests there were and how many traceparent lines
 * arrived with them; and for early data, taken, refused and too much, the same. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(what) ((what) ? (void)0 : (fprintf(stderr, "line %d, round %d: %s\n", __LINE__, round_now, #what), exit(1)))

static int round_now;
static unsigned seed;
static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

static gnutls_certificate_credentials_t there, here;
static gnutls_datum_t ticket_key;
static gnutls_session_t client, server;
static char sent[400000], got[800000];
static size_t sent_len, got_len;
static int nothing; /* what is held back is asked for without its bytes: then nobody sees what goes */
static int calm; /* the wire takes all: gnutls_record_send_file() copes with nothing else */

/* --- the wire */

struct pipe {
	char bytes[100000];
	size_t len, room;
	gnutls_session_t writer;
};
static struct pipe to_server, to_client;
static struct ends {
	struct pipe *out, *in;
} client_ends = {&to_server, &to_client}, server_ends = {&to_client, &to_server};

static ssize_t push(gnutls_transport_ptr_t at, const void *bytes, size_t len)
{
	struct pipe *pipe = ((struct ends *)at)->out;
	size_t take = len < pipe->room - pipe->len ? len : pipe->room - pipe->len;
	if (take == 0 || (!calm && dice(7) == 0)) {
		gnutls_transport_set_errno(at == &client_ends ? client : server, dice(5) ? EAGAIN : EINTR);
		return -1;
	}
	memcpy(pipe->bytes + pipe->len, bytes, take);
	pipe->len += take;
	return (ssize_t)take;
}

/* One of several: where it is set, it has push()'s place. */
static ssize_t push_pieces(gnutls_transport_ptr_t at, const giovec_t *pieces, int count)
{
	ssize_t all = 0;
	for (int i = 0; i < count; i++) {
		ssize_t n = pieces[i].iov_len ? push(at, pieces[i].iov_base, pieces[i].iov_len) : 0;
		if (n < 0)
			return all ? all : n;
		all += n;
		if ((size_t)n < pieces[i].iov_len)
			break;
	}
	return all;
}

static ssize_t pull(gnutls_transport_ptr_t at, void *bytes, size_t len)
{
	struct pipe *pipe = ((struct ends *)at)->in;
	size_t take = len < pipe->len ? len : pipe->len;
	if (take == 0) {
		gnutls_transport_set_errno(at == &client_ends ? client : server, EAGAIN);
		return -1;
	}
	memcpy(bytes, pipe->bytes, take);
	memmove(pipe->bytes, pipe->bytes + take, pipe->len - take);
	pipe->len -= take;
	return (ssize_t)take;
}

static int no_wait(gnutls_transport_ptr_t at, unsigned ms)
{
	(void)ms;
	return ((struct ends *)at)->in->len > 0;
}

static gnutls_session_t end(unsigned flags, struct ends *ends, const char *priority)
{
	gnutls_session_t session;
	CHECK(gnutls_init(&session, flags | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(session, priority, NULL) == 0);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, flags & GNUTLS_SERVER ? there : here);
	gnutls_transport_set_ptr(session, ends);
	if (round_now % 2)
		gnutls_transport_set_push_function(session, push);
	else
		gnutls_transport_set_vec_push_function(session, push_pieces);
	gnutls_transport_set_pull_function(session, pull);
	gnutls_transport_set_pull_timeout_function(session, no_wait);
	return session;
}

static void begin(unsigned flags, const char *priority)
{
	to_server.len = to_client.len = sent_len = got_len = 0;
	client = end(GNUTLS_CLIENT | flags, &client_ends, priority);
	server = end(GNUTLS_SERVER | flags, &server_ends, priority);
	CHECK(gnutls_session_ticket_enable_server(server, &ticket_key) == 0);
}

static void shake(void)
{
	int a = -1, b = -1;
	for (int i = 0; (a != 0 || b != 0) && i < 200000; i++) {
		if (a != 0)
			a = gnutls_handshake(client);
		if (b != 0)
			b = gnutls_handshake(server);
		CHECK((a == 0 || !gnutls_error_is_fatal(a)) && (b == 0 || !gnutls_error_is_fatal(b)));
	}
	CHECK(a == 0 && b == 0);
}

static void over(void)
{
	gnutls_bye(client, GNUTLS_SHUT_WR);
	gnutls_deinit(client);
	gnutls_deinit(server);
}

/* --- reading */

static ssize_t read_packet(void)
{
	gnutls_packet_t packet = NULL;
	gnutls_datum_t data = {0};
	ssize_t n = gnutls_record_recv_packet(server, &packet);
	if (n > 0) {
		gnutls_packet_get(packet, &data, NULL);
		memcpy(got + got_len, data.data, data.size);
		gnutls_packet_deinit(packet);
		n = data.size;
	}
	return n;
}

static ssize_t far_side(void)
{
	unsigned char sequence[8];
	size_t room = 1 + dice(5000);
	ssize_t n;
	/* A packet is a whole record: not while another call has left part of one. */
	switch (gnutls_record_check_pending(server) ? dice(2) : dice(3)) {
	case 0:
		n = gnutls_record_recv(server, got + got_len, room);
		break;
	case 1:
		n = gnutls_record_recv_seq(server, got + got_len, room, sequence);
		break;
	default:
		n = read_packet();
		break;
	}
	CHECK(n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	if (n > 0)
		got_len += (size_t)n;
	return n;
}

static void drain(void)
{
	while (to_server.len || gnutls_record_check_pending(server))
		far_side();
	far_side();
}

/* --- writing */

static ssize_t one_send(const char *bytes, size_t len, unsigned how)
{
	if (how == 0)
		return gnutls_record_send(client, bytes, len);
	return gnutls_record_send2(client, bytes, len, how == 2 && round_now % 3 ? (size_t)round_now : 0, 0);
}

static void send_all(size_t at, size_t upto, unsigned how)
{
	while (at < upto) {
		size_t asked = dice(3) ? upto - at : 1 + dice((unsigned)(upto - at));
		if (round_now % 6 == 0)
			asked = 1 + dice(3) < upto - at ? 1 + dice(3) : 1;
		if (asked > upto - at)
			asked = upto - at;
		ssize_t n = one_send(sent + at, asked, how);
		for (int tries = 0; n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED; tries++) {
			CHECK(tries < 2000000);
			far_side();
			/* What is held back is asked for with the same bytes, or with none. */
			n = how == 0 && nothing && dice(2) ? gnutls_record_send(client, NULL, 0) : one_send(sent + at, asked, how);
		}
		CHECK(n > 0 && (size_t)n <= asked);
		at += (size_t)n;
	}
}

static void send_corked(size_t upto)
{
	gnutls_record_cork(client);
	for (size_t at = 0; at < upto;) {
		size_t asked = 1 + dice((unsigned)(upto - at));
		ssize_t n = gnutls_record_send(client, sent + at, asked);
		CHECK(n > 0 && (size_t)n <= asked);
		at += (size_t)n;
	}
	int n;
	while ((n = gnutls_record_uncork(client, 0)) < 0) {
		CHECK(n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
		far_side();
	}
}

static size_t make(const char *name, size_t body)
{
	size_t at = sent_len;
	sent_len += (size_t)sprintf(sent + at, "POST /%d/%s HTTP/1.1\r\nHost: there\r\nX-Pad: %0*d\r\nContent-Length: %zu\r\n\r\n", round_now,
				    name, (int)dice(300) + 1, 7, body);
	size_t head = sent_len;
	for (size_t k = 0; k < body; k++)
		sent[sent_len++] = (char)('a' + dice(26));
	return head;
}

/* The head by a send, the body from a file. */
static void send_file(void)
{
	FILE *file = tmpfile();
	size_t head = make("file", 1 + dice(20000));
	fwrite("skipped", 1, 7, file);
	fwrite(sent + head, 1, sent_len - head, file);
	fflush(file);
	send_all(0, head, 0);
	drain();
	off_t offset = 7;
	calm = 1;
	to_server.room = sizeof(to_server.bytes);
	lseek(fileno(file), 0, SEEK_SET); /* 3.7 counts the offset from here */
	CHECK(gnutls_record_send_file(client, fileno(file), &offset, sent_len - head) == (ssize_t)(sent_len - head));
	drain();
	calm = 0;
	fclose(file);
}

/* Takes the lines out that were put in; how many there were. */
static int strip(void)
{
	static const char name[] = "traceparent: ";
	int found = 0;
	char *at;
	while ((at = memmem(got, got_len, name, sizeof(name) - 1)) != NULL) {
		size_t line = sizeof(name) - 1 + 55 + 2;
		CHECK(at + line <= got + got_len && at[line - 2] == '\r');
		memmove(at, at + line, (size_t)(got + got_len - at) - line);
		got_len -= line;
		found++;
	}
	CHECK(got_len == sent_len);
	CHECK(memcmp(got, sent, sent_len) == 0);
	return found;
}

static void rounds(void)
{
	int requests[2] = {0}, ours[2] = {0};
	for (round_now = 1; round_now <= 180; round_now++) {
		seed = (unsigned)round_now * 7919;
		nothing = round_now % 4 == 3;
		to_server.room = round_now % 5 == 0 ? 1 + dice(20) : 1 + dice(30000);
		to_client.room = 20000;
		begin(0, round_now % 3 ? "NORMAL" : "NORMAL:-VERS-ALL:+VERS-TLS1.2");
		shake();
		gnutls_record_set_max_size(client, 512 + dice(15000));
		int count = 1 + (int)dice(4);
		unsigned how = (unsigned)round_now % 5;
		if (how == 4 && round_now % 5 != 0) {
			count = 1;
			send_file();
		} else {
			for (int i = 0; i < count; i++)
				make("x", dice(round_now % 5 == 0 || round_now % 6 == 0 ? 300 : 20000));
			if (how == 3)
				send_corked(sent_len);
			else
				send_all(0, sent_len, how % 3);
		}
		drain();
		requests[nothing] += count;
		ours[nothing] += strip();
		over();
	}
	CHECK(requests[1] > 50 && ours[1] <= requests[1]);
	printf("%d %d\n", requests[0], ours[0]);
}

/* --- early data */

static int remember(void *at, time_t expires, const gnutls_datum_t *key, const gnutls_datum_t *data)
{
	(void)at, (void)expires, (void)key, (void)data;
	return 0;
}

static void early(const char *name, size_t room, int taken, size_t body)
{
	gnutls_anti_replay_t replay;
	gnutls_datum_t session;
	char none;
	round_now = 1;
	calm = 1;
	to_server.room = to_client.room = sizeof(to_server.bytes);
	gnutls_anti_replay_init(&replay);
	gnutls_anti_replay_set_add_function(replay, remember);
	begin(GNUTLS_ENABLE_EARLY_DATA, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	gnutls_anti_replay_enable(server, replay);
	gnutls_record_set_max_early_data_size(server, room);
	shake();
	while (gnutls_record_recv(client, &none, 1) != GNUTLS_E_AGAIN)
		;
	CHECK(gnutls_session_get_data2(client, &session) == 0);
	over();

	begin(GNUTLS_ENABLE_EARLY_DATA, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	if (!taken) {
		gnutls_deinit(server);
		server = end(GNUTLS_SERVER, &server_ends, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
		CHECK(gnutls_session_ticket_enable_server(server, &ticket_key) == 0);
	} else {
		gnutls_anti_replay_enable(server, replay);
		gnutls_record_set_max_early_data_size(server, room);
	}
	CHECK(gnutls_session_set_data(client, session.data, session.size) == 0);
	make("early", body);
	ssize_t n = gnutls_record_send_early_data(client, sent, sent_len);
	CHECK(n == 0 || n == (ssize_t)sent_len); /* 3.7 says 0 */
	shake();
	CHECK(!!(gnutls_session_get_flags(client) & GNUTLS_SFLAGS_EARLY_DATA) == taken);
	while (taken && (n = gnutls_record_recv_early_data(server, got + got_len, 1000)) > 0)
		got_len += (size_t)n;
	if (!taken)
		send_all(0, sent_len, 0);
	size_t before = sent_len;
	make("late", 10);
	send_all(before, sent_len, 0);
	drain();
	printf("%s %d\n", name, strip());
	over();
	gnutls_free(session.data);
	gnutls_anti_replay_deinit(replay);
}

/* How long each record is to be is laid down by the caller: nothing is put in. */
static void in_range(void)
{
	calm = 1;
	round_now = 1;
	to_server.room = to_client.room = sizeof(to_server.bytes);
	begin(0, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	shake();
	make("range", 100);
	gnutls_range_st range = {sent_len, sent_len + 50};
	for (size_t at = 0; at < sent_len;) {
		ssize_t n = gnutls_record_send_range(client, sent + at, sent_len - at, &range);
		CHECK(n > 0);
		at += (size_t)n;
	}
	drain();
	printf("range %d\n", strip());
	over();
}

int main(int argc, char **argv)
{
	gnutls_certificate_allocate_credentials(&there);
	gnutls_certificate_allocate_credentials(&here);
	gnutls_session_ticket_key_generate(&ticket_key);
	if (argc < 2 || gnutls_certificate_set_x509_key_file(there, argv[1], argv[1], GNUTLS_X509_FMT_PEM) < 0)
		return 2;
	rounds();
	in_range();
	early("taken", 16384, 1, 10);
	early("refused", 16384, 0, 10);
	early("full", 700, 1, 300);
	return 0;
}
