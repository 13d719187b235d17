/* session_facts.c - what the two sides of a TLS session agreed on, for the spans inside it. Told only where
 * TAGALONG_TLS_ATTRIBUTES asks for it: the conventions leave these attributes to those who want them. */
#include "preload/session.h"

#include <string.h>

#include "preload/config.h"
#include "preload/conn_internal.h"

bool session_wants_facts(void)
{
	return config.tls_attributes;
}

static uint8_t keep(char *room, size_t size, struct bytes text)
{
	if (text.len > size)
		return 0;
	if (text.len)
		memcpy(room, text.ptr, text.len);
	return (uint8_t)text.len;
}

void session_facts(struct conn *session, const struct session_facts *facts)
{
	session->agreed.version_len =
		keep(session->agreed.version, sizeof(session->agreed.version), facts->version);
	session->agreed.cipher_len =
		keep(session->agreed.cipher, sizeof(session->agreed.cipher), facts->cipher);
	session->agreed.alpn_len = keep(session->agreed.alpn, sizeof(session->agreed.alpn), facts->alpn);
	session->agreed.name_len =
		keep(session->agreed.name, sizeof(session->agreed.name), facts->server_name);
	session->agreed.resumed = facts->resumed;
	session->agreed.known = true;
}

/* "TLSv1.3" (OpenSSL), "TLS1.3" (GnuTLS), "SSLv3": a name and a number. */
static void tell_version(struct attrs *attrs, struct bytes version)
{
	bool ssl = bytes_starts(version, BYTES("SSL"));
	if (!ssl && !bytes_starts(version, BYTES("TLS")))
		return;
	struct bytes number = bytes_from(version, 3);
	if (number.len && number.ptr[0] == 'v')
		number = bytes_from(number, 1);
	attrs_string(attrs, BYTES("tls.protocol.name"), ssl ? BYTES("ssl") : BYTES("tls"));
	attrs_string(attrs, BYTES("tls.protocol.version"), number);
}

void exchange_tell_tls(const struct conn *session, struct span *span)
{
	if (!session->agreed.known || !span->recording || attrs_has(&span->attrs, BYTES("tls.resumed")))
		return;
	tell_version(&span->attrs, (struct bytes){session->agreed.version, session->agreed.version_len});
	if (session->agreed.cipher_len)
		attrs_string(&span->attrs, BYTES("tls.cipher"),
			     (struct bytes){session->agreed.cipher, session->agreed.cipher_len});
	if (session->agreed.alpn_len)
		attrs_string(&span->attrs, BYTES("tls.next_protocol"),
			     (struct bytes){session->agreed.alpn, session->agreed.alpn_len});
	if (session->agreed.name_len)
		attrs_string(&span->attrs, BYTES("tagalong.tls.server_name"),
			     (struct bytes){session->agreed.name, session->agreed.name_len});
	attrs_bool(&span->attrs, BYTES("tls.resumed"), session->agreed.resumed);
}
