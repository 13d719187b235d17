/* gnutls.c - what programs read and write in the clear through GnuTLS.
 *
 * Inside the library gnutls_record_send() may be a call of gnutls_record_send2(), and
 * gnutls_record_send_file() is calls of gnutls_record_send(): whether these come by here again is read from
 * the library's relocations, so that nothing is told twice. What is corked is told when the host hands it
 * over. As with OpenSSL, no guard is held over the real calls. */
#include "hooks/gnutls.h"

#include <dlfcn.h>
#include <sys/socket.h>

#include "preload/clock.h"
#include "preload/hook.h"
#include "preload/object.h"
#include "preload/session.h"

#define SYMBOLS(WRAP, CALL)                         \
	WRAP(gnutls_init)                           \
	WRAP(gnutls_deinit)                         \
	WRAP(gnutls_handshake)                      \
	WRAP(gnutls_bye)                            \
	WRAP(gnutls_record_recv)                    \
	WRAP(gnutls_record_recv_seq)                \
	WRAP(gnutls_record_recv_packet)             \
	WRAP(gnutls_record_recv_early_data)         \
	WRAP(gnutls_record_send)                    \
	WRAP(gnutls_record_send2)                   \
	WRAP(gnutls_record_send_range)              \
	WRAP(gnutls_record_send_early_data)         \
	CALL(gnutls_packet_get)                     \
	CALL(gnutls_session_get_random)             \
	CALL(gnutls_server_name_get)                \
	CALL(gnutls_error_is_fatal)                 \
	CALL(gnutls_record_get_max_early_data_size) \
	CALL(gnutls_session_get_flags)              \
	CALL(gnutls_protocol_get_version)           \
	CALL(gnutls_protocol_get_name)              \
	CALL(gnutls_ciphersuite_get)                \
	CALL(gnutls_alpn_get_selected_protocol)     \
	CALL(gnutls_session_is_resumed)

HOOK_LATE_LIBRARY(gnutls, SYMBOLS);

enum { INIT_SERVER = 1, INIT_DATAGRAM = 4 }; /* flags of gnutls_init() */
enum { SFLAGS_EARLY_DATA = 1 << 10 };        /* of gnutls_session_get_flags() */
enum { E_PUSH = -53, E_PULL = -54, E_PREMATURE_TERMINATION = -110, E_CERTIFICATE_VERIFICATION_ERROR = -348 };

static _Atomic bool sends_by_send2; /* gnutls_record_send() comes by us as gnutls_record_send2() */
static _Atomic bool sends_by_name;  /* and the handshake's sending of early data as gnutls_record_send() */

static void release(struct conn **session)
{
	if (!*session)
		return;
	int saved = hook_enter();
	conn_put(*session);
	hook_leave(saved);
}
#define SESSION(handle) \
	__attribute__((cleanup(release))) struct conn *session = hook_live() ? session_get(handle) : NULL

struct imports {
	uintptr_t at;
	bool send, send2;
};

static int ask_imports(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct imports *imports = arg;
	struct object object;
	(void)size;
	if (!object_read(&object, info) || imports->at < object.low || imports->at >= object.high)
		return 0;
	imports->send = object_imports(&object, "gnutls_record_send");
	imports->send2 = object_imports(&object, "gnutls_record_send2");
	return 1;
}

/* Once for each session: the library may have come, gone and come again since the last. */
static void look_again(void)
{
	static _Atomic unsigned long long seen;
	unsigned long long now = object_changes();
	if (now == atomic_load(&seen))
		return;
	hook_resolve_again(&hook_library_gnutls);
	struct imports imports = {.at = (uintptr_t)(void *)real.gnutls_record_send};
	if (imports.at && real.gnutls_record_send2)
		dl_iterate_phdr(ask_imports, &imports);
	atomic_store(&sends_by_send2, imports.send2);
	atomic_store(&sends_by_name, imports.send);
	atomic_store(&seen, now);
}

int gnutls_init(gnutls_session_t *handle, unsigned int flags)
{
	bool live = hook_live();
	if (live) {
		int saved = hook_enter();
		look_again();
		hook_leave(saved);
	}
	int made = REAL(gnutls_init)(handle, flags);
	if (made != 0 || !live || (flags & INIT_DATAGRAM) || !HAVE(gnutls_error_is_fatal))
		return made;
	int saved = hook_enter();
	session_end(*handle);
	struct conn *session = session_begin(*handle, flags & INIT_SERVER ? ROLE_SERVER : ROLE_CLIENT, true);
	if (session)
		conn_put(session);
	hook_leave(saved);
	return made;
}

void gnutls_deinit(gnutls_session_t handle)
{
	if (hook_live()) {
		int saved = hook_enter();
		session_end(handle);
		hook_leave(saved);
	}
	REAL(gnutls_deinit)(handle);
}

static void find_carrier(gnutls_session_t handle, struct conn *session)
{
	gnutls_datum_t client = {0}, server = {0};
	if (session->carrier || !HAVE(gnutls_session_get_random))
		return;
	REAL(gnutls_session_get_random)(handle, &client, &server);
	if (client.data && client.size == 32)
		session_on_hello(session, client.data);
}

static void find_name(gnutls_session_t handle, struct conn *session)
{
	char name[128];
	size_t len = sizeof(name) - 1;
	unsigned type = 0;
	if (session->role != ROLE_CLIENT || session->name[0] || !HAVE(gnutls_server_name_get) ||
	    REAL(gnutls_server_name_get)(handle, name, &len, &type, 0) != 0 || type != 1 ||
	    len >= sizeof(name))
		return;
	name[len] = '\0';
	session_server_name(session, name);
}

static void note_facts(gnutls_session_t handle, struct conn *session)
{
	char name[128];
	size_t len = sizeof(name);
	unsigned type = 0;
	gnutls_datum_t alpn = {0};
	if (!session_wants_facts() || !HAVE(gnutls_protocol_get_version) || !HAVE(gnutls_protocol_get_name))
		return;
	const char *version = REAL(gnutls_protocol_get_name)(REAL(gnutls_protocol_get_version)(handle));
	const char *cipher = HAVE(gnutls_ciphersuite_get) ? REAL(gnutls_ciphersuite_get)(handle) : NULL;
	struct session_facts facts = {.version = version ? bytes_of(version) : BYTES_NONE};
	if (cipher)
		facts.cipher = bytes_of(cipher);
	if (HAVE(gnutls_server_name_get) && REAL(gnutls_server_name_get)(handle, name, &len, &type, 0) == 0 &&
	    len < sizeof(name))
		facts.server_name = (struct bytes){name, len};
	if (HAVE(gnutls_alpn_get_selected_protocol) &&
	    REAL(gnutls_alpn_get_selected_protocol)(handle, &alpn) == 0)
		facts.alpn = (struct bytes){(const char *)alpn.data, alpn.size};
	facts.resumed = HAVE(gnutls_session_is_resumed) && REAL(gnutls_session_is_resumed)(handle);
	session_facts(session, &facts);
}

/* Only what the server did not take comes again. */
static void done_shaking(gnutls_session_t handle, struct conn *session)
{
	session->established = true;
	session->established_at = clock_now();
	session->early_full = false;
	if (session->early_sent && HAVE(gnutls_session_get_flags) &&
	    !(REAL(gnutls_session_get_flags)(handle) & SFLAGS_EARLY_DATA))
		session_early_rejected(session);
	note_facts(handle, session);
}

int gnutls_handshake(gnutls_session_t handle)
{
	SESSION(handle);
	int done = REAL(gnutls_handshake)(handle);
	if (!session || session->established || (done < 0 && !REAL(gnutls_error_is_fatal)(done)))
		return done;
	int error = errno, saved = hook_enter();
	find_carrier(handle, session);
	find_name(handle, session);
	if (done == 0)
		done_shaking(handle, session);
	else
		session_failed(session,
			       done == E_CERTIFICATE_VERIFICATION_ERROR ? BYTES("server_certificate_invalid")
									: BYTES("tls_handshake_failed"),
			       done == E_PULL || done == E_PUSH ? error : 0);
	hook_leave(saved);
	return done;
}

int gnutls_bye(gnutls_session_t handle, gnutls_close_request_t how)
{
	SESSION(handle);
	if (session) {
		int saved = hook_enter();
		session_shutdown(session);
		hook_leave(saved);
	}
	return REAL(gnutls_bye)(handle, how);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------
 */

static void was_read(struct conn *session, void *data, ssize_t got)
{
	struct iovec iov = {data, got > 0 ? (size_t)got : 0};
	int error = errno;
	bool over = got == E_PREMATURE_TERMINATION;
	if (got < 0 && !over && !REAL(gnutls_error_is_fatal)((int)got)) {
		errno = error;
		return;
	}
	int saved = hook_enter();
	if (got >= 0 || over)
		conn_received(session, &iov, 1, over ? 0 : got, 0);
	else
		conn_received(session, NULL, 0, -1, error);
	hook_leave(saved);
	errno = error;
}

ssize_t gnutls_record_recv(gnutls_session_t handle, void *data, size_t data_size)
{
	SESSION(handle);
	ssize_t got = REAL(gnutls_record_recv)(handle, data, data_size);
	if (session && data_size)
		was_read(session, data, got);
	return got;
}

ssize_t gnutls_record_recv_seq(gnutls_session_t handle, void *data, size_t data_size, unsigned char *seq)
{
	SESSION(handle);
	ssize_t got = REAL(gnutls_record_recv_seq)(handle, data, data_size, seq);
	if (session && data_size)
		was_read(session, data, got);
	return got;
}

ssize_t gnutls_record_recv_packet(gnutls_session_t handle, gnutls_packet_t *packet)
{
	SESSION(handle);
	gnutls_datum_t data = {0};
	ssize_t got = REAL(gnutls_record_recv_packet)(handle, packet);
	if (session && got > 0 && HAVE(gnutls_packet_get))
		REAL(gnutls_packet_get)(*packet, &data, NULL);
	if (session && (got <= 0 || data.data))
		was_read(session, data.data, got > 0 ? (ssize_t)data.size : got);
	return got;
}

ssize_t gnutls_record_recv_early_data(gnutls_session_t handle, void *data, size_t data_size)
{
	SESSION(handle);
	ssize_t got = REAL(gnutls_record_recv_early_data)(handle, data, data_size);
	if (session && got > 0)
		was_read(session, data, got);
	return got;
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------
 */

struct send_call {
	gnutls_session_t handle;
	size_t pad;
	unsigned flags;
	const gnutls_range_st *range;
	enum { FORM_SEND, FORM_SEND2, FORM_EARLY, FORM_RANGE } form;
	ssize_t answer; /* to early data */
};

static ssize_t really_send(void *arg, const void *bytes, size_t count)
{
	struct send_call *call = arg;
	if (call->form == FORM_SEND2)
		return REAL(gnutls_record_send2)(call->handle, bytes, count, call->pad, call->flags);
	if (call->form == FORM_RANGE)
		return REAL(gnutls_record_send_range)(call->handle, bytes, count, call->range);
	if (call->form == FORM_EARLY) { /* 0 is all of it, whatever its manual says */
		call->answer = REAL(gnutls_record_send_early_data)(call->handle, bytes, count);
		return call->answer ? call->answer : (ssize_t)count;
	}
	return REAL(gnutls_record_send)(call->handle, bytes, count);
}

/* It takes a record's worth at a time. After an E_AGAIN the host may ask without its bytes for what is held
 * back. */
static ssize_t send_session(struct conn *session, struct send_call *call, const void *data, size_t size)
{
	if (data && size)
		return session_write(session, data, size, true, really_send, call);
	if (session->kept)
		return session_write_on(session, really_send, call);
	ssize_t sent = really_send(call, data, size);
	if (sent > 0) {
		int saved = hook_enter();
		conn_sent_unseen(session, (uint64_t)sent);
		session->plain_kept = false;
		hook_leave(saved);
	}
	return sent;
}

ssize_t gnutls_record_send(gnutls_session_t handle, const void *data, size_t data_size)
{
	SESSION(handle);
	if (!session || atomic_load_explicit(&sends_by_send2, memory_order_relaxed))
		return REAL(gnutls_record_send)(handle, data, data_size);
	struct send_call call = {.handle = handle, .form = FORM_SEND};
	return send_session(session, &call, data, data_size);
}

ssize_t gnutls_record_send2(gnutls_session_t handle, const void *data, size_t data_size, size_t pad,
			    unsigned flags)
{
	SESSION(handle);
	if (!session)
		return REAL(gnutls_record_send2)(handle, data, data_size, pad, flags);
	struct send_call call = {.handle = handle, .pad = pad, .flags = flags, .form = FORM_SEND2};
	return send_session(session, &call, data, data_size);
}

/* How long it may look was laid down by the host: nothing is put in. A write that was edited and must be
 * repeated is another one than this, and what comes then is not followed. */
ssize_t gnutls_record_send_range(gnutls_session_t handle, const void *data, size_t data_size,
				 const gnutls_range_st *range)
{
	SESSION(handle);
	if (session && (session->kept || !data || !data_size))
		atomic_store(&session->lost, true);
	if (!session || session->lost)
		return REAL(gnutls_record_send_range)(handle, data, data_size, range);
	struct send_call call = {.handle = handle, .range = range, .form = FORM_RANGE};
	session->plain_kept = true;
	return send_session(session, &call, data, data_size);
}

ssize_t gnutls_record_send_early_data(gnutls_session_t handle, const void *data, size_t length)
{
	SESSION(handle);
	if (!session || !data || !length)
		return REAL(gnutls_record_send_early_data)(handle, data, length);
	session_early(session, length,
		      HAVE(gnutls_record_get_max_early_data_size)
			      ? REAL(gnutls_record_get_max_early_data_size)(handle)
			      : 0);
	if (atomic_load(&sends_by_name))
		return REAL(gnutls_record_send_early_data)(handle, data, length);
	struct send_call call = {.handle = handle, .form = FORM_EARLY};
	ssize_t sent = send_session(session, &call, data, length);
	return call.answer > 0 ? sent : call.answer;
}
