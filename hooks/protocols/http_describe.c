/* http_describe.c - an HTTP message as attributes of its span. */
#include "hooks/protocols/http_describe.h"

#include "hooks/protocols/http1_scan.h"
#include "hooks/protocols/rpc_web.h"

#define PARTS_MAX 40

/* A text put together of pieces. */
struct parts {
	struct bytes part[PARTS_MAX];
	size_t count;
};

static void add(struct parts *parts, struct bytes text)
{
	if (text.len && parts->count < PARTS_MAX)
		parts->part[parts->count++] = text;
}

/* Where a request goes, as far as it says so itself. */
struct place {
	struct bytes scheme;    /* "" if the target names none */
	struct bytes authority; /* with user info */
	struct bytes path;      /* with query */
	bool absolute;
	bool tunnel; /* CONNECT */
};

/* The digits of a port; 0 if they are none. */
static uint16_t port_of(struct bytes digits)
{
	uint32_t value = 0;

	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9' || digits.len > 5)
			return 0;
		value = value * 10 + (uint32_t)(digits.ptr[i] - '0');
	}
	return value <= UINT16_MAX ? (uint16_t)value : 0;
}

struct bytes http_split_port(struct bytes authority, uint16_t *port)
{
	*port = 0;
	if (authority.len && authority.ptr[0] == '[') {
		size_t end = bytes_find(authority, ']');
		if (end == authority.len)
			return authority;
		if (end + 1 < authority.len && authority.ptr[end + 1] == ':')
			*port = port_of(bytes_from(authority, end + 2));
		return (struct bytes){authority.ptr + 1, end - 1};
	}
	size_t colon = bytes_find(authority, ':');
	if (colon == authority.len)
		return authority;
	struct bytes digits = bytes_from(authority, colon + 1);
	if (bytes_find(digits, ':') < digits.len)
		return authority;
	*port = port_of(digits);
	return bytes_until(authority, colon);
}

/* A quoted string or token from the start of `text`; *rest is what follows it. */
static struct bytes unquoted(struct bytes text, struct bytes *rest)
{
	size_t end = 0;
	if (text.len && text.ptr[0] == '"') {
		for (end = 1; end < text.len && text.ptr[end] != '"'; end++)
			if (text.ptr[end] == '\\')
				end++;
		if (end > text.len)
			end = text.len;
		*rest = bytes_from(text, end + 1);
		return (struct bytes){text.ptr + 1, end - 1};
	}
	while (end < text.len && text.ptr[end] != ';' && text.ptr[end] != ',')
		end++;
	*rest = bytes_from(text, end);
	return bytes_trim(bytes_until(text, end));
}

struct bytes http_forwarded(struct bytes field, struct bytes name)
{
	while (field.len) {
		size_t equals = 0;
		while (equals < field.len && field.ptr[equals] != '=' && field.ptr[equals] != ';' &&
		       field.ptr[equals] != ',')
			equals++;
		struct bytes key = bytes_trim(bytes_until(field, equals)), value = BYTES_NONE;
		field = bytes_from(field, equals);
		if (field.len && field.ptr[0] == '=')
			value = unquoted(bytes_from(field, 1), &field);
		if (value.len && bytes_equal_nocase(key, name))
			return value;
		while (field.len && (field.ptr[0] == ' ' || field.ptr[0] == '\t'))
			field = bytes_from(field, 1);
		if (field.len && field.ptr[0] != ';')
			break; /* the next element is a proxy nearer to us */
		field = bytes_from(field, 1);
	}
	return BYTES_NONE;
}

/* Left-most item of a list that each proxy adds to. */
static struct bytes leftmost(struct bytes list)
{
	return bytes_trim(bytes_until(list, bytes_find(list, ',')));
}

static bool is_scheme(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = bytes_lower(text.ptr[i]);
		bool letter = c >= 'a' && c <= 'z';
		if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			return false;
	}
	return text.len > 0 && text.len <= 16;
}

static bool is_tls_scheme(struct bytes scheme)
{
	return bytes_equal_nocase(scheme, BYTES("https")) || bytes_equal_nocase(scheme, BYTES("wss"));
}

static struct bytes url_authority(struct bytes rest, struct bytes *path)
{
	size_t end = 0;
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' && rest.ptr[end] != '#')
		end++;
	*path = bytes_from(rest, end);
	return bytes_until(rest, end);
}

static void split_target(const struct http_message *message, struct place *place)
{
	struct bytes target = message->target;

	*place = (struct place){.scheme = message->scheme, .authority = message->host, .path = target};
	if (bytes_equal(message->method, BYTES("CONNECT")) && !bytes_starts(target, BYTES("/"))) {
		place->tunnel = true;
		place->authority = target;
		place->path = BYTES_NONE;
		return;
	}
	if (target.len == 0 || target.ptr[0] == '/' || target.ptr[0] == '*')
		return;
	size_t colon = bytes_find(target, ':');
	struct bytes scheme = bytes_until(target, colon);
	struct bytes rest = bytes_from(target, colon);
	if (!is_scheme(scheme) || !bytes_starts(rest, BYTES("://")))
		return;
	place->absolute = true;
	place->scheme = scheme;
	place->authority = url_authority(bytes_from(rest, 3), &place->path);
}

struct bytes http_path(const struct http_message *message)
{
	struct place place;
	split_target(message, &place);
	return place.absolute && place.path.len == 0 ? BYTES("/") : place.path;
}

/* host[:port], without user info; that is told apart in *user. */
static struct bytes without_user(struct bytes authority, bool *user)
{
	const char *at = authority.len ? memrchr(authority.ptr, '@', authority.len) : NULL;
	*user = at != NULL;
	return at ? bytes_from(authority, (size_t)(at - authority.ptr) + 1) : authority;
}

/* --- query ---------------------------------------------------------------------------------------------- */

static bool redacted(struct bytes key)
{
	const struct bytes *list = protocol_settings.redacted_query_keys;
	for (; list && list->ptr; list++)
		if (bytes_equal(*list, key))
			return true;
	return false;
}

/* The query of `text` begins there. Has no key of it the length of a secret one? */
static bool nothing_secret(struct bytes text, size_t query)
{
	size_t key = query, at = query;

	while ((at = scan_query(text, at)) < text.len && text.ptr[at] != '#') {
		struct bytes before = {text.ptr + key, at - key};
		if (text.ptr[at++] == '&')
			key = at;
		else if (protocol_settings.redacted_lengths & protocol_length_bit(before))
			return false;
	}
	return true;
}

/* Values of secret keys are replaced. A query with more of them than fit ends at the last one that did. */
static void add_query(struct parts *parts, struct bytes text, size_t from)
{
	struct bytes query = bytes_from(text, from);

	if (nothing_secret(text, from)) {
		add(parts, query);
		return;
	}

	size_t fragment = bytes_find(query, '#');
	struct bytes plain = bytes_until(query, fragment), tail = bytes_from(query, fragment);
	size_t start = 0, at = 0;

	while (at < plain.len && protocol_settings.redacted_query_keys &&
	       protocol_settings.redacted_query_keys->ptr) {
		struct bytes pair = bytes_from(plain, at);
		pair = bytes_until(pair, bytes_find(pair, '&'));
		size_t equals = bytes_find(pair, '=');
		if (equals < pair.len && redacted(bytes_until(pair, equals))) {
			add(parts, (struct bytes){plain.ptr + start, at + equals + 1 - start});
			add(parts, BYTES("REDACTED"));
			start = at + pair.len;
			if (parts->count + 4 > PARTS_MAX)
				return;
		}
		at += pair.len + 1;
	}
	add(parts, bytes_from(plain, start));
	add(parts, tail);
}

/* --- hashes: to know a redirect's next request again -----------------------------------------------------
 */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ (hash >> 29);
}

static uint64_t hash_text(struct bytes text, uint64_t seed, uint64_t fold)
{
	uint64_t hash = seed ^ text.len, word;
	while (text.len >= 8) {
		memcpy(&word, text.ptr, 8);
		hash = mix(hash, word | fold);
		text = (struct bytes){text.ptr + 8, text.len - 8};
	}
	word = 0;
	for (size_t i = 0; i < text.len; i++)
		word = word << 8 | (uint8_t)text.ptr[i];
	hash = mix(hash, word | fold);
	return hash ? hash : 1;
}

static uint64_t hash_authority(struct bytes host, uint16_t port)
{
	return hash_text(host, port, 0x2020202020202020u);
}

static uint64_t hash_target(struct bytes path)
{
	path = bytes_until(path, bytes_find(path, '#'));
	if (path.len == 0)
		path = BYTES("/");
	return hash_text(path, 0x7a, 0);
}

/* --- request ---------------------------------------------------------------------------------------------
 */

static const struct bytes key_request_header = {"http.request.header.", 20};
static const struct bytes key_response_header = {"http.response.header.", 21};

__attribute__((noinline)) static void put_captures(const struct http_message *message,
						   const struct bytes *list, struct bytes prefix,
						   struct attrs *attrs)
{
	char key[128];
	struct bytes values[HTTP_CAPTURES];

	for (; list && list->ptr; list++) {
		size_t count = 0;
		for (size_t i = 0; i < message->captures; i++)
			if (bytes_equal_nocase(message->captured[i].name, *list))
				values[count++] = message->captured[i].value;
		if (count == 0)
			continue;
		if (prefix.len + list->len > sizeof(key)) {
			attrs->dropped++;
			continue;
		}
		memcpy(key, prefix.ptr, prefix.len);
		memcpy(key + prefix.len, list->ptr, list->len);
		attrs_strings(attrs, (struct bytes){key, prefix.len + list->len}, values, count);
	}
}

void http_describe_captures(const struct http_message *message, const struct bytes *list, struct bytes prefix,
			    struct attrs *attrs)
{
	attrs->cut += message->cut + message->missed;
	if (message->captures)
		put_captures(message, list, prefix, attrs);
}

static void describe_method(const struct http_message *message, struct protocol_facts *facts)
{
	const struct bytes *known = protocol_settings.known_methods;

	while (known && known->ptr && !bytes_equal(*known, message->method))
		known++;
	if (known && known->ptr) {
		attrs_string(facts->attrs, BYTES("http.request.method"), message->method);
		facts->name = message->method;
		return;
	}
	attrs_string(facts->attrs, BYTES("http.request.method"), BYTES("_OTHER"));
	attrs_string(facts->attrs, BYTES("http.request.method_original"), message->method);
	facts->name = BYTES("HTTP");
}

/* Only IPv6 has zones. */
static struct bytes without_zone(struct bytes address)
{
	return bytes_until(address, bytes_find(address, '%'));
}

void http_describe_peer(const struct protocol_endpoint *endpoint, struct attrs *attrs)
{
	if (endpoint->is_unix || endpoint->peer_address.len == 0)
		return;
	attrs_string(attrs, BYTES("network.peer.address"), without_zone(endpoint->peer_address));
	if (endpoint->peer_port)
		attrs_int(attrs, BYTES("network.peer.port"), endpoint->peer_port);
}

static void describe_server_address(struct attrs *attrs, struct bytes host, uint16_t port,
				    struct bytes scheme)
{
	if (host.len == 0)
		return;
	attrs_string(attrs, BYTES("server.address"), host);
	attrs_int(attrs, BYTES("server.port"), port ? port : is_tls_scheme(scheme) ? 443 : 80);
}

static void describe_client_address(const struct http_message *message,
				    const struct protocol_endpoint *endpoint, struct attrs *attrs)
{
	uint16_t port;
	struct bytes client = BYTES_NONE;

	if (message->forwarded.len)
		client = http_split_port(http_forwarded(message->forwarded, BYTES("for")), &port);
	if (message->forwarded_for.len && (client.len == 0 || bytes_equal_nocase(client, BYTES("unknown"))))
		client = http_split_port(leftmost(message->forwarded_for), &port);
	if (client.len == 0 || bytes_equal_nocase(client, BYTES("unknown")))
		client = endpoint->is_unix ? BYTES_NONE : without_zone(endpoint->peer_address);
	if (client.len)
		attrs_string(attrs, BYTES("client.address"), client);
}

static struct bytes server_scheme(const struct http_message *message, const struct place *place,
				  const struct protocol_endpoint *endpoint)
{
	struct bytes scheme = BYTES_NONE;

	if (message->forwarded.len)
		scheme = http_forwarded(message->forwarded, BYTES("proto"));
	if (message->forwarded_proto.len && !is_scheme(scheme))
		scheme = leftmost(message->forwarded_proto);
	if (place->scheme.len && !is_scheme(scheme))
		scheme = place->scheme;
	if (!is_scheme(scheme))
		scheme = endpoint->tls ? BYTES("https") : BYTES("http");
	return scheme;
}

/* Who was asked, by whom, and how: hardly ever another one in the next request of a connection. */
static void describe_parties(const struct http_message *message, const struct place *place,
			     const struct protocol_endpoint *endpoint, struct attrs *attrs)
{
	struct bytes scheme = server_scheme(message, place, endpoint), host = BYTES_NONE;
	uint16_t port = 0;
	bool user;

	attrs_string(attrs, BYTES("url.scheme"), scheme);
	if (message->forwarded.len)
		host = http_forwarded(message->forwarded, BYTES("host"));
	if (host.len == 0 && message->forwarded_host.len)
		host = leftmost(message->forwarded_host);
	if (host.len == 0)
		host = without_user(place->authority, &user);
	host = http_split_port(host, &port);
	if (host.len)
		describe_server_address(attrs, host, port, scheme);
	else if (endpoint->is_unix && endpoint->local_address.len)
		attrs_string(attrs, BYTES("server.address"), endpoint->local_address);
	describe_client_address(message, endpoint, attrs);
	http_describe_peer(endpoint, attrs);
	attrs_string(attrs, BYTES("network.protocol.version"), message->version);
	if (message->user_agent.len)
		attrs_string(attrs, BYTES("user_agent.original"), message->user_agent);
}

static inline void recall_parties(const struct http_message *message, const struct place *place,
				  const struct protocol_endpoint *endpoint, struct attrs *attrs)
{
	struct protocol_memo *memo = endpoint->memo;
	uint32_t same = place->absolute || place->tunnel ? 0 : message->same;

	if (same && protocol_memo_put_same(memo, same, attrs))
		return;
	struct bytes texts[MEMO_TEXTS] = {place->scheme, place->authority, message->version,
					  message->user_agent};
	if (!protocol_memo_put(memo, texts, attrs)) {
		struct attrs before = *attrs;
		describe_parties(message, place, endpoint, attrs);
		protocol_memo_keep(memo, texts, &before, attrs);
	}
	memo->serial = same;
}

__attribute__((noinline)) static void describe_query(struct bytes text, size_t from, struct attrs *attrs)
{
	struct parts parts;

	parts.count = 0;
	add_query(&parts, text, from);
	attrs_concat(attrs, BYTES("url.query"), parts.part, parts.count);
}

static void describe_server(const struct http_message *message, const struct protocol_endpoint *endpoint,
			    struct attrs *attrs)
{
	struct place place;

	split_target(message, &place);
	size_t question = bytes_find(place.path, '?');
	struct bytes path = bytes_until(place.path, question), query = bytes_from(place.path, question + 1);
	attrs_string(attrs, BYTES("url.path"), place.absolute && path.len == 0 ? BYTES("/") : path);
	if (query.len && nothing_secret(place.path, question + 1))
		attrs_string(attrs, BYTES("url.query"), query);
	else if (query.len)
		describe_query(place.path, question + 1, attrs);
	bool proxied = message->forwarded.len || message->forwarded_proto.len ||
		       message->forwarded_host.len || message->forwarded_for.len;
	if (!endpoint->memo || proxied)
		describe_parties(message, &place, endpoint, attrs);
	else
		recall_parties(message, &place, endpoint, attrs);
}

static void describe_url(const struct place *place, struct bytes scheme, struct bytes host, struct bytes port,
			 bool user, struct attrs *attrs)
{
	struct parts parts = {.count = 0};
	bool naked = bytes_find(host, ':') < host.len && host.len && host.ptr[0] != '[' && port.len;

	if (!place->tunnel) {
		add(&parts, scheme);
		add(&parts, BYTES("://"));
	}
	if (user)
		add(&parts, BYTES("REDACTED:REDACTED@"));
	add(&parts, naked ? BYTES("[") : BYTES_NONE);
	add(&parts, host);
	add(&parts, naked ? BYTES("]") : BYTES_NONE);
	if (port.len > 1)
		add(&parts, port);
	struct bytes path = place->path;
	if (bytes_equal(path, BYTES("*"))) /* RFC 9110 7.1: the server as a whole */
		path = BYTES_NONE;
	size_t question = bytes_find(path, '?');
	add(&parts, bytes_until(path, question));
	if (question < path.len) {
		add(&parts, BYTES("?"));
		add_query(&parts, path, question + 1);
	}
	attrs_concat(attrs, BYTES("url.full"), parts.part, parts.count);
}

/* ":8080" into `text`, ":" alone for the scheme's own port. */
static struct bytes port_text(uint16_t port, bool tls, char text[8])
{
	char digits[5];
	size_t n = 0, len = 0;

	text[len++] = ':';
	if (port == 0 || port == (tls ? 443 : 80))
		return (struct bytes){text, len};
	for (unsigned rest = port; rest; rest /= 10)
		digits[n++] = (char)('0' + rest % 10);
	while (n)
		text[len++] = digits[--n];
	return (struct bytes){text, len};
}

static void describe_client(const struct http_message *message, const struct protocol_endpoint *endpoint,
			    struct protocol_facts *facts)
{
	struct attrs *attrs = facts->attrs;
	struct place place;
	uint16_t port = 0;
	bool user = false;
	char text[8];

	split_target(message, &place);
	struct bytes scheme = is_scheme(place.scheme) ? place.scheme
			      : endpoint->tls         ? BYTES("https")
						      : BYTES("http");
	bool tls = is_tls_scheme(scheme);
	struct bytes authority = without_user(place.authority, &user), written = authority,
		     suffix = BYTES_NONE;
	struct bytes host = http_split_port(authority, &port);
	if (host.len == 0 && !endpoint->is_unix) {
		host = endpoint->name.len ? endpoint->name : without_zone(endpoint->peer_address);
		port = endpoint->peer_port;
		written = host;
		suffix = port_text(port, tls, text);
	} else if (host.len == 0) {
		written = BYTES("localhost");
	}
	if (endpoint->is_unix)
		attrs_string(attrs, BYTES("server.address"), endpoint->peer_address);
	else
		describe_server_address(attrs, host, port, scheme);
	describe_url(&place, scheme, written, suffix, user, attrs);
	http_describe_peer(endpoint, attrs);
	if (message->version.len) /* it got as far as to be spoken */
		attrs_string(attrs, BYTES("network.protocol.version"), message->version);
	facts->authority = hash_authority(host, port ? port : tls ? 443 : 80);
	facts->target = hash_target(place.path);
}

void http_describe_request(const struct http_message *message, enum protocol_side side,
			   const struct protocol_endpoint *endpoint, struct protocol_facts *facts)
{
	describe_method(message, facts);
	if (side == SIDE_SERVER)
		describe_server(message, endpoint, facts->attrs);
	else
		describe_client(message, endpoint, facts);
	if (message->content_type.len)
		rpc_web_describe(message, facts);
	http_describe_captures(message, protocol_settings.capture_request[side], key_request_header,
			       facts->attrs);
}

/* --- response --------------------------------------------------------------------------------------------
 */

/* Whose next request would be this one again? A relative reference would need the request's own path. */
static void describe_again(const struct http_message *message, struct protocol_facts *facts)
{
	struct bytes place = message->location, path;
	uint16_t port;
	bool user;

	if (message->status == 401 || message->status == 407) {
		facts->again = true;
		return;
	}
	if (message->status < 301 || message->status > 308 ||
	    (message->status > 303 && message->status < 307))
		return;
	if (place.len && place.ptr[0] == '/' && !bytes_starts(place, BYTES("//"))) {
		facts->again = true;
		facts->target = hash_target(place);
		return;
	}
	size_t colon = bytes_find(place, ':');
	struct bytes scheme = bytes_until(place, colon), rest = bytes_from(place, colon);
	if (!is_scheme(scheme) || !bytes_starts(rest, BYTES("://")))
		return;
	struct bytes authority = without_user(url_authority(bytes_from(rest, 3), &path), &user);
	struct bytes host = http_split_port(authority, &port);
	facts->again = host.len > 0;
	facts->authority = hash_authority(host, port ? port : is_tls_scheme(scheme) ? 443 : 80);
	facts->target = hash_target(path);
}

void http_describe_response(const struct http_message *message, enum protocol_side side,
			    struct protocol_facts *facts)
{
	facts->status = message->status;
	attrs_int(facts->attrs, BYTES("http.response.status_code"), message->status);
	http_describe_captures(message, protocol_settings.capture_response[side], key_response_header,
			       facts->attrs);
	if (message->status >= (side == SIDE_SERVER ? 500 : 400)) {
		facts->failed = true;
		facts->error_type = (struct bytes){message->status_text, 3};
	}
	facts->outcome = rpc_web_outcome(message);
	if (side == SIDE_CLIENT)
		describe_again(message, facts);
}
