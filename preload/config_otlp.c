/* config_otlp.c - where traces and metrics go (otel.md 1.6). */
#include <string.h>

#include "preload/config_internal.h"

/* One signal: its own settings, each NULL or UINT32_MAX where unset, in front of the general ones. */
struct signal {
	struct config_otlp *out;
	bool wanted; /* an exporter uses it: worth a warning */
	const char *endpoint_variable, *protocol_variable, *path;
	const char *endpoint, *protocol, *headers, *compression;
	uint32_t timeout;
	bool endpoint_said, protocol_said; /* another signal reported what is wrong with the general one */
};

/* Pieces of a URL; credentials are left behind. */
struct url {
	struct bytes host, path, query;
	uint16_t port;
	bool bracketed, explicit_port, credentials;
};

static bool parse_port(struct bytes text, uint16_t *out)
{
	uint32_t port = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(text.ptr[i] - '0');
		if (port > 65535)
			return false;
	}
	*out = (uint16_t)port;
	return port != 0;
}

static bool host_char(char c, bool bracketed)
{
	char l = bytes_lower(c);
	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
	       (bracketed && (c == ':' || c == '%'));
}

static bool parse_authority(struct bytes text, struct url *url)
{
	size_t end;

	for (size_t at = bytes_find(text, '@'); at < text.len; at = bytes_find(text, '@')) {
		url->credentials = true;
		text = bytes_from(text, at + 1);
	}
	url->bracketed = text.len && text.ptr[0] == '[';
	if (url->bracketed) {
		text = bytes_from(text, 1);
		end = bytes_find(text, ']');
		if (end == text.len)
			return false;
		url->host = bytes_until(text, end);
		text = bytes_from(text, end + 1);
	} else {
		end = bytes_find(text, ':');
		url->host = bytes_until(text, end);
		text = bytes_from(text, end);
	}
	for (size_t i = 0; i < url->host.len; i++)
		if (!host_char(url->host.ptr[i], url->bracketed))
			return false;
	url->port = 80;
	url->explicit_port = text.len != 0;
	if (url->explicit_port && (text.ptr[0] != ':' || !parse_port(bytes_from(text, 1), &url->port)))
		return false;
	return url->host.len != 0;
}

/* `text` stands behind "http://". */
static bool parse_url(struct bytes text, struct url *url)
{
	memset(url, 0, sizeof(*url));
	/* A blank or a line break in a path would end up in the request line. */
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
			return false;
	text = bytes_until(text, bytes_find(text, '#'));
	size_t query = bytes_find(text, '?');
	url->query = bytes_from(text, query);
	text = bytes_until(text, query);
	size_t slash = bytes_find(text, '/');
	url->path = bytes_from(text, slash);
	return parse_authority(bytes_until(text, slash), url);
}

static size_t append(char *out, size_t cap, size_t at, struct bytes text)
{
	if (at + text.len >= cap)
		return cap; /* sticks: every later append fails too */
	memcpy(out + at, text.ptr, text.len);
	out[at + text.len] = '\0';
	return at + text.len;
}

/* A query may hold a key: it is sent, but not part of the URL that is shown. */
static bool assemble(const struct url *url, const char *signal_path, struct config_otlp *out)
{
	size_t path = append(out->path, sizeof(out->path), 0, url->path.len ? url->path : BYTES("/"));

	if (path >= sizeof(out->path))
		return false;
	if (signal_path) {
		if (out->path[path - 1] != '/')
			path = append(out->path, sizeof(out->path), path, BYTES("/"));
		path = append(out->path, sizeof(out->path), path, bytes_of(signal_path));
	}
	size_t host = append(out->host, sizeof(out->host), 0, url->host);
	if (path >= sizeof(out->path) || host >= sizeof(out->host))
		return false;
	out->port = url->port;
	log_format(out->url, sizeof(out->url), url->bracketed ? "http://[%s]" : "http://%s", out->host);
	size_t len = strlen(out->url);
	if (url->explicit_port)
		len += (size_t)log_format(out->url + len, sizeof(out->url) - len, ":%u", (unsigned)url->port);
	append(out->url, sizeof(out->url), len, (struct bytes){out->path, path});
	if (!signal_path && url->query.len)
		path = append(out->path, sizeof(out->path), path, url->query);
	return path < sizeof(out->path);
}

/* What may be shown of a URL that could not be used: nothing in front of an '@', no query. */
static struct bytes showable(struct bytes text)
{
	text = bytes_until(text, bytes_find(text, '?'));
	for (size_t at = bytes_find(text, '@'); at < text.len; at = bytes_find(text, '@'))
		text = bytes_from(text, at + 1);
	return text;
}

static bool has_scheme(struct bytes text, struct bytes scheme)
{
	return text.len >= scheme.len && bytes_equal_nocase(bytes_until(text, scheme.len), scheme);
}

static void resolve_endpoint(const struct signal *signal)
{
	bool own = signal->endpoint != NULL;
	const char *variable = own ? signal->endpoint_variable : "OTEL_EXPORTER_OTLP_ENDPOINT";
	struct bytes text = bytes_of(own ? signal->endpoint : config.otlp_endpoint), show = showable(text);
	bool speak = signal->wanted && (own || !signal->endpoint_said);
	struct url url;

	if (has_scheme(text, BYTES("https://"))) {
		if (speak)
			config_warn("%s=\"%.*s\": https is not there yet, nothing is sent; use http:// to a "
				    "collector "
				    "near by, or OTEL_TRACES_EXPORTER=otlp_file",
				    variable, (int)show.len, show.ptr);
		return;
	}
	if (!has_scheme(text, BYTES("http://")) || !parse_url(bytes_from(text, 7), &url) ||
	    !assemble(&url, own ? NULL : signal->path, signal->out)) {
		if (speak)
			config_warn("%s=\"%.*s\" is not a URL such as http://localhost:4318; nothing is sent",
				    variable, (int)show.len, show.ptr);
		return;
	}
	if (url.credentials && speak)
		config_warn(
			"%s: the user name and password in it are not used; use OTEL_EXPORTER_OTLP_HEADERS",
			variable);
	signal->out->usable = true;
}

static void resolve_protocol(const struct signal *signal)
{
	bool own = signal->protocol != NULL;

	signal->out->protocol = own ? signal->protocol : config.otlp_protocol;
	if (strcmp(signal->out->protocol, "grpc") != 0)
		return;
	signal->out->protocol = "http/protobuf";
	if (signal->wanted && (own || !signal->protocol_said))
		config_warn("%s=\"grpc\" is not there yet; using http/protobuf, which a collector takes on "
			    "port 4318",
			    own ? signal->protocol_variable : "OTEL_EXPORTER_OTLP_PROTOCOL");
}

static void resolve(const struct signal *signal)
{
	const char *compression = signal->compression ? signal->compression : config.otlp_compression;

	resolve_protocol(signal);
	resolve_endpoint(signal);
	signal->out->headers = signal->headers ? signal->headers : config.otlp_headers;
	signal->out->timeout = signal->timeout != UINT32_MAX ? signal->timeout : config.otlp_timeout;
	signal->out->gzip = strcmp(compression, "gzip") == 0;
}

static void warn_certificates(void)
{
	static const enum config_index certificates[] = {
		CONFIG_INDEX_otlp_certificate,         CONFIG_INDEX_otlp_traces_certificate,
		CONFIG_INDEX_otlp_metrics_certificate, CONFIG_INDEX_otlp_client_key,
		CONFIG_INDEX_otlp_client_certificate,
	};

	for (size_t i = 0; i < sizeof(certificates) / sizeof(certificates[0]); i++)
		if (config_raw[certificates[i]].len)
			config_warn("%s=\"%.*s\" has no effect: https is not there yet; use http:// to a "
				    "collector near by",
				    config_rows[certificates[i]].variable,
				    (int)config_raw[certificates[i]].len, config_raw[certificates[i]].ptr);
}

void config_derive_otlp(void)
{
	bool traces = config.traces_exporters & EXPORTER_OTLP,
	     metrics = config.metrics_exporters & EXPORTER_OTLP;

	resolve(&(struct signal){&config.traces, traces, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
				 "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "v1/traces",
				 config.otlp_traces_endpoint, config.otlp_traces_protocol,
				 config.otlp_traces_headers, config.otlp_traces_compression,
				 config.otlp_traces_timeout, false, false});
	resolve(&(struct signal){&config.metrics, metrics, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
				 "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "v1/metrics",
				 config.otlp_metrics_endpoint, config.otlp_metrics_protocol,
				 config.otlp_metrics_headers, config.otlp_metrics_compression,
				 config.otlp_metrics_timeout, traces && !config.otlp_traces_endpoint,
				 traces && !config.otlp_traces_protocol});
	warn_certificates();
}
