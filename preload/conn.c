/* conn.c - a connection's life: found by fd, shared by dup, ended by the last close. */
#include "preload/conn_internal.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "preload/asked.h"
#include "preload/config.h"
#include "preload/correlate.h"
#include "preload/loop.h"
#include "preload/names.h"
#include "preload/session.h"
#include "preload/sys.h"

static struct pool conns;
static const struct protocol *const *protocols;

bool conn_init(uint32_t max_connections, const struct protocol *const *list)
{
	protocols = list;
	conn_arenas_init(max_connections);
	return pool_init(&conns, sizeof(struct conn), max_connections);
}

const struct protocol *const *conn_protocols(void)
{
	return protocols;
}

static inline void pause_a_moment(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* The holder only computes, so it is soon done, unless it was preempted or was torn out of our code by an
 * asynchronous cancel; then nobody waits for it for long: the connection is given up. */
#define PATIENCE_NS 100000000ull

__attribute__((noinline)) static bool lock_contended(struct conn *conn)
{
	/* Both ways at once as a rule: several requests, or a thread that reads the answers of a batch while
	 * another one still writes it. */
	bool patient = (conn->protocol->multiplexed || conn->protocol->database) && !conn->lost;
	uint64_t until = 0;
	for (int tries = 0; tries < 400 || patient; tries++) {
		if (!atomic_exchange_explicit(&conn->lock, 1, memory_order_acquire))
			return true;
		if (tries == 400)
			until = clock_now() + PATIENCE_NS;
		else if (tries > 400 && clock_now() > until)
			break;
		if (tries > 40)
			sched_yield();
		else
			pause_a_moment();
	}
	atomic_store(&conn->lost, true);
	count_one(connections_contended);
	return false;
}

bool conn_lock(struct conn *conn)
{
	return __builtin_expect(!atomic_exchange_explicit(&conn->lock, 1, memory_order_acquire), 1) ||
	       lock_contended(conn);
}

static bool at_rest(const struct conn *conn)
{
	return conn->protocol->at_rest && conn->protocol->at_rest(conn->state);
}

void conn_unlock(struct conn *conn)
{
	/* Not earlier: the protocol may still be at work in it. */
	if (conn->arena.base) {
		conn->arena.used = true;
		if (conn->mode == CONN_OPAQUE || at_rest(conn))
			conn_give_arena(conn);
	}
	atomic_store_explicit(&conn->lock, 0, memory_order_release);
}

struct conn *conn_slot(uint32_t index)
{
	return pool_slot(&conns, index);
}

uint32_t conn_slots(void)
{
	return atomic_load_explicit(&conns.carved, memory_order_relaxed);
}

uint32_t conn_index(const struct conn *conn)
{
	return pool_index(&conns, conn);
}

bool conn_hold(struct conn *conn)
{
	uint32_t refs = atomic_load_explicit(&conn->refs, memory_order_relaxed);
	do {
		if (refs == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&conn->refs, &refs, refs + 1, memory_order_acquire,
							memory_order_relaxed));
	return true;
}

struct conn *conn_get_known(int fd, uintptr_t entry)
{
	struct conn *conn = (struct conn *)entry; /* NOLINT(performance-no-int-to-ptr) */
	if (!conn_hold(conn))
		return NULL;
	/* The slot may have become another connection between the look and the reference. */
	if (fdtable_get(fd) != entry) {
		conn_put(conn);
		return NULL;
	}
	return conn;
}

struct conn *conn_get(int fd)
{
	uintptr_t entry = fdtable_get(fd);
	return entry == 0 || (entry & FD_PLAIN) ? NULL : conn_get_known(fd, entry);
}

void conn_gone(struct conn *conn)
{
	exchange_abandon(conn, BYTES_NONE, BYTES("closed"), clock_now());
	asked_closed(conn);
	block_give(conn->stash.block);
	conn->stash.block = NULL;
	owed_drop(conn);
	conn_give_arena(conn);
	session_cleanup(conn);
	if (conn->unseen)
		correlate_unseen(-(int)conn->unseen);
	pool_give(&conns, conn);
}

void conn_tidy(struct conn *conn)
{
	if (!conn->stash.block || conn->first || conn->stash.keep)
		return;
	block_give(conn->stash.block);
	conn->stash.block = NULL;
}

static char *take_stash(struct protocol_stash *stash)
{
	if (!stash->block)
		stash->block = block_take();
	return stash->block;
}

void conn_open_protocol(struct conn *conn)
{
	const struct conn *carrier = conn->carrier;

	if (conn->arena.folded) /* of a state that is no more */
		conn_give_arena(conn);
	conn->protocol->open(conn->state);
	if (carrier && carrier->protocol == conn->protocol && conn->protocol->resume &&
	    carrier->mode == CONN_OPAQUE)
		conn->protocol->resume(conn->state, carrier->state);
}

void conn_choose(struct conn *conn, enum protocol_half half, struct bytes first)
{
	conn->fed = true;
	for (const struct protocol *const *each = protocols; *each; each++) {
		if (!(*each)->begins || ((*each)->database && conn->role == ROLE_SERVER) ||
		    !(*each)->begins(half, first))
			continue;
		conn->protocol = *each;
		conn_open_protocol(conn);
		if (half == HALF_RESPONSES) /* what the client sends is no riddle then */
			conn->early_len = EARLY_DONE;
		return;
	}
}

/* One reference, which the table is to hold. */
struct conn *conn_new(enum conn_role role)
{
	struct conn *conn = pool_take(&conns);
	if (!conn) {
		count_one(connections_no_slot);
		if (role == ROLE_SERVER) { /* a loop may turn to it behind anything that it reads */
			activity_hidden();
			loop_left_waiting();
		}
		return NULL;
	}
	/* refs stays 0 until the rest is ready: a stale conn_get() must not get hold of it. */
	memset((char *)conn + sizeof(conn->refs), 0, offsetof(struct conn, over) - sizeof(conn->refs));
	conn->protocol = protocols[0];
	conn->stash = (struct protocol_stash){.block = NULL, .take = take_stash};
	conn->owed = NULL;
	conn->arena = (struct protocol_arena){.base = NULL, .take = conn_take_arena};
	conn->peer_len = conn->local_len = 0;
	conn->agreed.known = false;
	memset(conn->notes, 0, sizeof(conn->notes));
	conn->peer_text[0] = conn->local_text[0] = conn->name[0] = '\0';
	conn->role = (uint8_t)role;
	conn->made_in = loop_turn();
	conn->opener = activity_for_opening();
	conn->protocol->open(conn->state);
	atomic_store(&conn->fds, 1);
	atomic_store_explicit(&conn->refs, 1, memory_order_release);
	return conn;
}

/* A database's client waited as long as it wanted to, and gave up. (One that waits in slices for HTTP may
 * close for any other reason.) */
static bool timed_out(const struct conn *conn)
{
	return conn->protocol->database && (conn->expired || (conn->carrier && conn->carrier->expired));
}

void conn_end_exchanges(struct conn *conn)
{
	if (!conn->first || !conn_lock(conn))
		return;
	struct exchange_sink sink;
	conn_sink(&sink, conn);
	sink.now = clock_now();
	if (conn->mode == CONN_FOLLOWED && !conn->lost && conn->role == ROLE_SERVER && !conn->reset)
		conn->protocol->end(conn->state, HALF_RESPONSES, &sink.base);
	if (conn->first && span_shared(exchange_first(conn))) { /* a child answers */
		span_left_behind(exchange_first(conn));
		exchange_abandon(conn, BYTES_NONE, BYTES("forked"), sink.now);
	} else if (conn->role == ROLE_SERVER) {
		exchange_abandon(conn, conn->reset ? BYTES("connection_reset") : BYTES("response_truncated"),
				 BYTES_NONE, sink.now);
	} else {
		exchange_abandon(conn, timed_out(conn) ? BYTES("timeout") : BYTES_NONE, BYTES("closed"),
				 sink.now);
	}
	conn_unlock(conn);
}

/* What went out last, and whether it did, was not seen. */
static void give_up(struct conn *conn)
{
	if (!conn_lock(conn))
		return;
	conn_opaque(conn, OPAQUE_LOST, 0);
	conn_unlock(conn);
}

/* The end of one descriptor of it: what was under way ends with the last. */
static void descriptor_gone(struct conn *conn, bool ends)
{
	bool last = atomic_fetch_sub(&conn->fds, 1) == 1;
	if (last)
		loop_uncount(&conn->asker);
	if (last && ends) {
		if (atomic_load_explicit(&conn->ring_writes, memory_order_relaxed))
			give_up(conn);
		conn_end_exchanges(conn);
		asked_closed(conn);
		if (conn->carries)
			session_carrier_closed(conn);
	}
	conn_put(conn);
}

void conn_closed(struct conn *conn)
{
	descriptor_gone(conn, true);
}

static void drop_entry(uintptr_t entry, bool ends)
{
	if (entry && !(entry & FD_PLAIN))
		descriptor_gone((struct conn *)entry, ends); /* NOLINT(performance-no-int-to-ptr) */
}

static void install(int fd, struct conn *conn)
{
	if (conn)
		drop_entry(fdtable_set(fd, (uintptr_t)conn), false);
	else
		drop_entry(fdtable_set(fd, 0), false);
}

void conn_accepted(int fd, const struct sockaddr *peer, socklen_t len)
{
	struct conn *conn = conn_new(ROLE_SERVER);
	if (conn) {
		conn->editable = true;
		if (peer && len > 0 && len <= sizeof(conn->peer)) {
			memcpy(&conn->peer, peer, len);
			conn->peer_len = (uint16_t)len;
			conn->peer_known = true;
		}
	}
	install(fd, conn);
}

/* The socket that we know, not one that has its number by now. */
static bool is_connected(int fd)
{
	union conn_address address;
	socklen_t size = sizeof(address);

	return sys_getpeername(fd, &address.any, &size) == 0;
}

void conn_connecting(int fd, const struct sockaddr *peer, socklen_t len)
{
	struct conn *old = conn_get(fd);
	if (old) {
		/* connect() is also how a host asks whether it is done; eventlet and gevent, whether it has
		 * come about, behind SO_ERROR. */
		bool dissolves = len >= sizeof(sa_family_t) && peer->sa_family == AF_UNSPEC;
		bool same = old->role == ROLE_CLIENT && old->peer_known && old->requests == 0 &&
			    old->peer_len == len && memcmp(&old->peer, peer, len) == 0 && is_connected(fd);
		bool again = old->connecting || (same && old->mode == CONN_FOLLOWED);
		bool local = old->peer_known && old->peer.any.sa_family == AF_UNIX; /* knows no such thing */
		conn_put(old);
		if (dissolves && !local) /* what comes next on this socket is another connection */
			conn_forget(fd);
		if (dissolves || again)
			return;
	}
	if (len < sizeof(sa_family_t) || len > sizeof(union conn_address))
		return;
	sa_family_t family = peer->sa_family;
	int type = 0;
	socklen_t size = sizeof(type);
	if ((family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
	    sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return;

	/* Counted before anybody judges whose it is. */
	span_ref window = activity_window();
	bool timers = loop_is_timers(window);
	span_ref asker = timers ? SPAN_NOBODY : loop_count(window);
	struct conn *conn = conn_new(ROLE_CLIENT);
	if (!conn)
		loop_uncount(&asker);
	if (conn) {
		conn->asker = asker;
		if (timers)
			conn->opener = SPAN_NOBODY;
		memcpy(&conn->peer, peer, len);
		conn->peer_len = (uint16_t)len;
		conn->peer_known = conn->connecting = conn->editable = true;
		conn->connect_start = clock_now();
		name_of(&conn->peer.any, conn->name, sizeof(conn->name));
	}
	install(fd, conn);
}

static void connect_ended(struct conn *conn, int error)
{
	if (!conn->connecting || !conn_lock(conn))
		return;
	if (conn->connecting) {
		conn->connecting = false;
		conn->connect_end = clock_now();
		if (error)
			exchange_connect_failed(conn, exchange_error_name(error));
	}
	conn_unlock(conn);
}

void conn_connected(int fd, int result, int error)
{
	if (result < 0 && (error == EINPROGRESS || error == EALREADY || error == EINTR || error == EAGAIN))
		return;
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	bool failed = result < 0 && error != EISCONN, begun = conn->connecting;
	connect_ended(conn, failed ? error : 0);
	if (failed && begun) /* what was connected before lives on */
		conn_forget(fd);
	conn_put(conn);
}

void conn_connect_result(int fd, int so_error)
{
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	bool asked = conn->connecting;
	connect_ended(conn, so_error);
	if (asked && so_error)
		conn_forget(fd);
	conn_put(conn);
}

void conn_pair(int fd0, int fd1)
{
	for (int i = 0; i < 2; i++) {
		struct conn *conn = conn_new(ROLE_UNKNOWN);
		if (conn) {
			conn->editable = true;
			conn->peer.any.sa_family = AF_UNIX;
			conn->peer_len = sizeof(sa_family_t);
			conn->peer_known = true;
		}
		install(i ? fd1 : fd0, conn);
	}
}

/* Has a TCP connection carried nothing yet? Then we see it from its first byte. */
static bool is_fresh(int fd)
{
	struct { /* the head of struct tcp_info as the kernel has had it since 4.1 */
		uint8_t u8[8];
		uint32_t u32[24];
		uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	} info;
	socklen_t size = sizeof(info);
	memset(&info, 0, sizeof(info));
	if (sys_getsockopt(fd, IPPROTO_TCP, 11 /* TCP_INFO */, &info, &size) < 0 || size < sizeof(info))
		return false;
	/* The SYN counts as one acknowledged byte in some kernels. */
	return info.bytes_received == 0 && info.bytes_acked <= 1;
}

void conn_adopted(int fd)
{
	int value = 0;
	socklen_t size = sizeof(value);
	conn_forget(fd);
	if (sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) < 0 || value != SOCK_STREAM)
		return;
	size = sizeof(value);
	if (sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) < 0 || value)
		return;
	union conn_address peer;
	socklen_t len = sizeof(peer);
	if (sys_getpeername(fd, &peer.any, &len) < 0 || len > sizeof(peer))
		return;
	sa_family_t family = len >= sizeof(sa_family_t) ? peer.any.sa_family : AF_UNIX;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return;

	struct conn *conn = conn_new(ROLE_UNKNOWN);
	if (conn) {
		conn->peer = peer;
		conn->peer_len = (uint16_t)len;
		conn->peer_known = true;
		conn->editable = family != AF_UNIX && is_fresh(fd);
		conn->opener = SPAN_NOBODY;
	}
	install(fd, conn);
}

void conn_duplicated(int fd, int copy)
{
	if (fd == copy)
		return;
	uintptr_t entry = fdtable_get(fd);
	if (entry == 0 || (entry & FD_PLAIN)) {
		drop_entry(fdtable_set(copy, entry), true);
		return;
	}
	struct conn *conn = conn_get(fd); /* this reference becomes the table's */
	if (conn) {
		atomic_fetch_add(&conn->fds, 1);
		uintptr_t old = fdtable_set(copy, (uintptr_t)conn);
		drop_entry(old, true);
	}
}

void conn_closing(int fd)
{
	if (fdtable_get(fd))
		drop_entry(fdtable_set(fd, 0), true);
}

void conn_forget(int fd)
{
	if (fdtable_get(fd))
		drop_entry(fdtable_set(fd, 0), false);
}

static void close_one(int fd, uintptr_t value, void *arg)
{
	(void)value;
	(void)arg;
	conn_closing(fd);
}

void conn_closing_range(unsigned first, unsigned last)
{
	if (first > INT32_MAX)
		return;
	fdtable_each((int)first, last > INT32_MAX ? INT32_MAX : (int)last, close_one, NULL);
}

void conn_shutdown(int fd, int how)
{
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	if (how != SHUT_RD && conn->mode == CONN_FOLLOWED && !conn->sent_end && conn_lock(conn)) {
		conn->sent_end = true;
		struct exchange_sink sink;
		conn_sink(&sink, conn);
		if (conn->role != ROLE_UNKNOWN)
			conn->protocol->end(conn->state, conn_half_out(conn), &sink.base);
		conn_unlock(conn);
	}
	conn_put(conn);
}

void conn_wait_expired(int fd)
{
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	conn->expired = true;
	conn_put(conn);
}

void conn_bypassed(int fd)
{
	struct conn *conn = conn_get(fd);
	if (!conn)
		return;
	atomic_store(&conn->lost, true);
	conn_put(conn);
}

void conn_disown(struct conn *conn)
{
	/* A lock held by a thread that does not exist here would be held for ever; and an exchange under way
	 * is the parent's: here the connection carries on unfollowed. */
	atomic_store(&conn->lock, 0);
	atomic_store(&conn->sending, 0);
	atomic_store(&conn->ring_reads, 0);
	atomic_store(&conn->ring_writes, 0);
	atomic_store(&conn->refs, atomic_load(&conn->fds));
	if (conn->first)
		atomic_store(&conn->lost, true);
	/* The spans stay behind as what they are here: the activity that this process was forked in. Closing
	 * the parent's connection does not end that. */
	conn->first = conn->last = 0;
	asked_forked(conn);
}

static void disown(int fd, uintptr_t value, void *arg)
{
	(void)fd;
	(void)arg;
	if (!(value & FD_PLAIN))
		conn_disown((struct conn *)value); /* NOLINT(performance-no-int-to-ptr) */
}

void conn_forked(void)
{
	fdtable_each(0, INT32_MAX, disown, NULL);
	session_forked();
}
