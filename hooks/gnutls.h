/* gnutls.h - the few prototypes of GnuTLS 3.x that we need; tests/lint/vendor.sh compares them with the
 * vendor's where those are installed. */
#ifndef TAGALONG_HOOKS_GNUTLS_H
#define TAGALONG_HOOKS_GNUTLS_H

#include <stddef.h>
#include <sys/types.h>

#ifndef GNUTLS_GNUTLS_H /* the vendor's own guard: the lint includes that first */
typedef struct gnutls_session_int *gnutls_session_t;
typedef struct mbuffer_st *gnutls_packet_t;
typedef struct {
	unsigned char *data;
	unsigned int size;
} gnutls_datum_t;
typedef struct gnutls_range_st gnutls_range_st;
typedef int gnutls_close_request_t; /* an enum there */
typedef int gnutls_protocol_t;
#endif

int gnutls_init(gnutls_session_t *session, unsigned int flags);
void gnutls_deinit(gnutls_session_t session);
int gnutls_handshake(gnutls_session_t session);
int gnutls_bye(gnutls_session_t session, gnutls_close_request_t how);
ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size);
ssize_t gnutls_record_recv_seq(gnutls_session_t session, void *data, size_t data_size, unsigned char *seq);
ssize_t gnutls_record_recv_packet(gnutls_session_t session, gnutls_packet_t *packet);
ssize_t gnutls_record_recv_early_data(gnutls_session_t session, void *data, size_t data_size);
ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t data_size);
ssize_t gnutls_record_send2(gnutls_session_t session, const void *data, size_t data_size, size_t pad,
			    unsigned flags);
ssize_t gnutls_record_send_range(gnutls_session_t session, const void *data, size_t data_size,
				 const gnutls_range_st *range);
ssize_t gnutls_record_send_early_data(gnutls_session_t session, const void *data, size_t length);

void gnutls_packet_get(gnutls_packet_t packet, gnutls_datum_t *data, unsigned char *sequence);
void gnutls_session_get_random(gnutls_session_t session, gnutls_datum_t *client, gnutls_datum_t *server);
int gnutls_server_name_get(gnutls_session_t session, void *data, size_t *data_length, unsigned int *type,
			   unsigned int indx);
int gnutls_error_is_fatal(int error);
size_t gnutls_record_get_max_early_data_size(gnutls_session_t session);
unsigned gnutls_session_get_flags(gnutls_session_t session);
gnutls_protocol_t gnutls_protocol_get_version(gnutls_session_t session);
const char *gnutls_protocol_get_name(gnutls_protocol_t version);
const char *gnutls_ciphersuite_get(gnutls_session_t session);
int gnutls_alpn_get_selected_protocol(gnutls_session_t session, gnutls_datum_t *protocol);
int gnutls_session_is_resumed(gnutls_session_t session);

#endif
