/* session.c - TLS sessions and what carries them; see session.h. */
#include "preload/session.h"

#include <sched.h>
#include <string.h>

#include "preload/conn_internal.h"
#include "preload/loop.h"
#include "preload/sys.h"

/* Of sockets whose session is not known yet: a younger one may push an older one out. With hundreds of
 * handshakes under way at once it must not happen often. */
#define HELLOS 16384

struct bucket {
	_Atomic uint32_t first; /* slot index + 1 */
	_Atomic uint32_t lock;  /* held for a few steps only, when sessions come and go */
};

static struct bucket *buckets;
static uint32_t bucket_mask;
static _Atomic uintptr_t hellos[HELLOS];
static _Atomic bool any;

bool session_init(uint32_t max_connections)
{
	uint32_t count = 64;
	while (count < max_connections && count < 1u << 20)
		count *= 2;
	buckets = sys_map(count * sizeof(*buckets));
	bucket_mask = count - 1;
	return buckets != NULL;
}

static struct bucket *bucket_of(const void *handle)
{
	uint64_t mixed = (uint64_t)(uintptr_t)handle * 0x9e3779b97f4a7c15u;
	return &buckets[(mixed >> 40) & bucket_mask];
}

/* False: whoever holds it was torn out of our code. The sessions in it are out of reach from now on. */
static bool lock(struct bucket *bucket)
{
	for (int tries = 0; tries < 40000; tries++) {
		if (!atomic_exchange_explicit(&bucket->lock, 1, memory_order_acquire))
			return true;
		if (tries > 40)
			sched_yield();
	}
	return false;
}

static void unlock(struct bucket *bucket)
{
	atomic_store_explicit(&bucket->lock, 0, memory_order_release);
}

/* Slots never go away, so a chain that changes meanwhile leads astray at worst. */
static struct conn *search(struct bucket *bucket, uintptr_t handle)
{
	uint32_t index = atomic_load_explicit(&bucket->first, memory_order_acquire);
	for (int steps = 0; index && steps < 64; steps++) {
		struct conn *conn = conn_slot(index - 1);
		if (atomic_load_explicit(&conn->handle, memory_order_acquire) == handle && conn_hold(conn)) {
			if (atomic_load_explicit(&conn->handle, memory_order_acquire) == handle)
				return conn;
			conn_put(conn);
		}
		index = atomic_load_explicit(&conn->chain, memory_order_acquire);
	}
	return NULL;
}

struct conn *session_get(const void *handle)
{
	if (!handle || !buckets)
		return NULL;
	struct bucket *bucket = bucket_of(handle);
	if (atomic_load_explicit(&bucket->first, memory_order_acquire) == 0)
		return NULL;
	struct conn *found = search(bucket, (uintptr_t)handle);
	if (!found && lock(bucket)) {
		found = search(bucket, (uintptr_t)handle);
		unlock(bucket);
	}
	return found;
}

struct conn *session_begin(const void *handle, enum conn_role role, bool followed)
{
	struct conn *conn = handle && buckets ? conn_new(role) : NULL;
	if (!conn)
		return NULL;
	struct bucket *bucket = bucket_of(handle);
	if (!lock(bucket)) {
		conn_put(conn);
		return NULL;
	}
	conn->tls = true;
	conn->connect_start = clock_now(); /* until there is a carrier, which knows better */
	conn->editable = followed;
	if (!followed)
		atomic_store(&conn->mode, CONN_OPAQUE);
	atomic_fetch_add(&conn->refs, 1); /* one is the table's */
	atomic_store(&conn->chain, atomic_load(&bucket->first));
	atomic_store_explicit(&conn->handle, (uintptr_t)handle, memory_order_release);
	atomic_store_explicit(&bucket->first, conn_index(conn) + 1, memory_order_release);
	unlock(bucket);
	atomic_store_explicit(&any, true, memory_order_relaxed);
	return conn;
}

static struct conn *unlink_from(struct bucket *bucket, uintptr_t handle)
{
	_Atomic uint32_t *link = &bucket->first;
	uint32_t index;
	while ((index = atomic_load(link)) != 0) {
		struct conn *conn = conn_slot(index - 1);
		if (atomic_load(&conn->handle) == handle) {
			atomic_store(link, atomic_load(&conn->chain));
			atomic_store(&conn->handle, 0);
			return conn;
		}
		link = &conn->chain;
	}
	return NULL;
}

void session_end(const void *handle)
{
	if (!handle || !buckets)
		return;
	struct bucket *bucket = bucket_of(handle);
	if (atomic_load_explicit(&bucket->first, memory_order_acquire) == 0 || !lock(bucket))
		return;
	struct conn *conn = unlink_from(bucket, (uintptr_t)handle);
	unlock(bucket);
	if (conn)
		conn_closed(conn);
}

void session_freed(const void *handle)
{
	struct conn *session = session_get(handle);
	if (!session)
		return;
	uint8_t owners = atomic_load(&session->owners);
	while (owners && !atomic_compare_exchange_weak(&session->owners, &owners, (uint8_t)(owners - 1)))
		;
	if (!owners)
		session_end(handle);
	conn_put(session);
}

/* --- early data
 * ----------------------------------------------------------------------------------------------------
 */

void session_early(struct conn *session, size_t count, size_t most)
{
	if (most > UINT32_MAX)
		most = UINT32_MAX;
	if (count > UINT32_MAX / 2 || session->early_sent > UINT32_MAX / 2)
		count = UINT32_MAX / 2;
	session->early_sent += (uint32_t)count + BLOCK_SIZE;
	if (session->early_sent > most)
		session->early_full = true;
}

void session_early_rejected(struct conn *session)
{
	session_drop_write(session);
	if (!conn_lock(session))
		return;
	exchange_abandon(session, BYTES("early_data_rejected"), BYTES_NONE, clock_now());
	conn_tidy(session);
	session->protocol = conn_protocols()[0];
	session->protocol->open(session->state);
	session->fed = false;
	session->early_len = 0;
	session->requests = 0;
	session->over_left = 0;
	session->gone = 0;
	session->version[HALF_REQUESTS]++;
	conn_unlock(session);
}

/* --- the carrier
 * --------------------------------------------------------------------------------------------------- */

/* `carrier` comes with a reference, which the session keeps. */
static void carried_by(struct conn *session, struct conn *carrier)
{
	if (session->carrier || carrier->tls || !conn_lock(carrier)) {
		conn_put(carrier);
		return;
	}
	if (carrier->asker != SPAN_NOBODY) { /* counted once, until its first call */
		loop_uncount(&session->asker);
		session->asker = carrier->asker;
		carrier->asker = SPAN_NOBODY;
	}
	session->made_in = carrier->made_in;
	conn_opaque(carrier, OPAQUE_HANDED_OVER, 0);
	carrier->carries = true;
	session->carrier = carrier;
	session->opener = carrier->opener;
	session->peer = carrier->peer;
	session->peer_len = carrier->peer_len;
	session->peer_known = carrier->peer_known;
	session->local = carrier->local;
	session->local_len = carrier->local_len;
	session->local_known = carrier->local_known;
	session->endpoint_known = false;
	session->connect_start = carrier->connect_start;
	session->connect_end = carrier->connect_end;
	memcpy(session->name, carrier->name, sizeof(session->name));
	atomic_store(&carrier->carried, session);
	conn_unlock(carrier);
}

void session_on_fd(struct conn *session, int fd)
{
	struct conn *carrier = session->carrier || fd < 0 ? NULL : conn_get(fd);
	if (carrier)
		carried_by(session, carrier);
}

void session_note_hello(struct conn *conn, struct bytes first)
{
	/* Record: handshake, TLS 1.x; message: client_hello; version; random (RFC 8446, 4.1.2 and 5.1). */
	const unsigned char *at = (const unsigned char *)first.ptr;
	if (first.len < 43 || at[0] != 22 || at[1] != 3 || at[5] != 1 || at[9] != 3)
		return;
	if (conn->hello)
		return;
	memcpy(&conn->hello, at + 11, sizeof(conn->hello));
	atomic_store(&hellos[conn->hello % HELLOS], (uintptr_t)conn);
}

void session_on_hello(struct conn *session, const unsigned char random[32])
{
	uint64_t hello;
	memcpy(&hello, random, sizeof(hello));
	if (session->carrier || hello == 0)
		return;
	_Atomic uintptr_t *slot = &hellos[hello % HELLOS];
	struct conn *carrier = (struct conn *)atomic_load(slot); /* NOLINT(performance-no-int-to-ptr) */
	if (!carrier || !conn_hold(carrier))
		return;
	if (carrier->hello != hello || carrier->carries) {
		conn_put(carrier);
		return;
	}
	atomic_store(slot, 0);
	carried_by(session, carrier);
}

void session_server_name(struct conn *session, const char *name)
{
	if (session->name[0] || !name || strlen(name) >= sizeof(session->name))
		return;
	memcpy(session->name, name, strlen(name) + 1);
	session->endpoint_known = false;
}

/* --- ends
 * ----------------------------------------------------------------------------------------------------------
 */

void session_failed(struct conn *session, struct bytes error_type, int error)
{
	if (exchange_error_name(error).len)
		error_type = exchange_error_name(error);
	if (session->reset || !conn_lock(session))
		return;
	session->reset = true;
	if (session->role == ROLE_CLIENT)
		exchange_connect_failed(session, error_type);
	conn_unlock(session);
}

void session_shutdown(struct conn *session)
{
	if (session->mode != CONN_FOLLOWED || session->sent_end || session->role == ROLE_UNKNOWN ||
	    !conn_lock(session))
		return;
	struct exchange_sink sink;
	session->sent_end = true;
	conn_sink(&sink, session);
	session->protocol->end(session->state, conn_half_out(session), &sink.base);
	conn_unlock(session);
}

void session_cleanup(struct conn *conn)
{
	session_drop_write(conn);
	if (conn->carrier) {
		struct conn *expected = conn;
		atomic_compare_exchange_strong(&conn->carrier->carried, &expected, NULL);
		conn_put(conn->carrier);
		conn->carrier = NULL;
	}
}

struct conn *session_above(const struct conn *carrier)
{
	struct conn *session = atomic_load(&carrier->carried);
	if (!session || !conn_hold(session))
		return NULL;
	if (session->carrier == carrier)
		return session;
	conn_put(session);
	return NULL;
}

void session_carrier_closed(const struct conn *carrier)
{
	struct conn *session = session_above(carrier);
	if (!session)
		return;
	conn_end_exchanges(session);
	conn_put(session);
}

void session_forked(void)
{
	if (!atomic_load(&any))
		return;
	for (uint32_t i = 0; i <= bucket_mask; i++) {
		atomic_store(&buckets[i].lock, 0);
		for (uint32_t index = atomic_load(&buckets[i].first); index;) {
			struct conn *conn = conn_slot(index - 1);
			index = atomic_load(&conn->chain);
			conn_disown(conn);
			session_drop_write(conn);
			if (conn->carrier && atomic_load(&conn->carrier->fds) > 0)
				atomic_fetch_add(&conn->carrier->refs, 1);
		}
	}
}
