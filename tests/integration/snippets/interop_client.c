/* interop_client PORT COUNT CERTIFICATE: sends COUNT requests with random sets of fields over HTTP/2 by libcurl, one after the other over
 * several connections, and compares what the server says that it read. Prints "AGREE OURS": how many were read as they were
 * sent, and with exactly one traceparent. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interop.h"

struct transfer {
	struct curl_slist *fields;
	uint64_t sum;
	bool agrees, ours;
};

static unsigned seed = 1;

static unsigned dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % sides;
}

static void add(struct transfer *transfer, const char *name, const char *value)
{
	static char line[40000];
	snprintf(line, sizeof(line), "%s: %s", name, value);
	transfer->fields = curl_slist_append(transfer->fields, line);
	transfer->sum += interop_hash(name, strlen(name), value, strlen(value));
}

static void random_fields(struct transfer *transfer)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!#$&'*+;=/";
	static char value[21000];
	char name[24];

	transfer->fields = NULL;
	transfer->sum = 0;
	bool long_one = dice(50) == 0; 
	add(transfer, "accept", "*/*");
	add(transfer, "user-agent", "interop");
	for (unsigned n = dice(12); n > 0; n--) {
		/* Few names and many equal values, so that tables fill and are found again; now and then a long one. */
		snprintf(name, sizeof(name), "x-%c%u", 'a' + (char)dice(20), dice(3));
		size_t len = 1 + (long_one ? dice(9000) : dice(4) ? dice(6) : dice(300));
		long_one = false;
		for (size_t i = 0; i < len; i++)
			value[i] = len < 4 ? "ab"[dice(2)] : letters[dice(sizeof(letters) - 1)];
		value[len] = '\0';
		add(transfer, name, value);
	}
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;
	char text[80];
	size_t len = size * count < sizeof(text) ? size * count : sizeof(text) - 1;
	memcpy(text, line, len);
	text[len] = '\0';
	if (!strncmp(text, "x-sum: ", 7))
		transfer->agrees = strtoull(text + 7, NULL, 16) == transfer->sum;
	if (!strncmp(text, "x-ours: ", 8))
		transfer->ours = atoi(text + 8) == 1;
	return size * count;
}

int main(int argc, char **argv)
{
	struct transfer transfer;
	char url[100];
	CURL *easy = NULL;
	int agree = 0, ours = 0;

	if (argc < 4)
		return 1;
	snprintf(url, sizeof(url), "https://127.0.0.1:%s/", argv[1]);
	for (int i = 0, count = atoi(argv[2]); i < count; i++) {
		if (i % 900 == 0) { /* nghttp2 puts up with 1 000 of the resets that curl sends afterwards */
			curl_easy_cleanup(easy);
			easy = curl_easy_init();
		}
		random_fields(&transfer);
		transfer.agrees = transfer.ours = false;
		curl_easy_setopt(easy, CURLOPT_URL, url);
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
		curl_easy_setopt(easy, CURLOPT_CAINFO, argv[3]);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.fields);
		curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
		CURLcode code = curl_easy_perform(easy);
		if (code != CURLE_OK)
			fprintf(stderr, "request %d: %s\n", i, curl_easy_strerror(code));
		agree += code == CURLE_OK && transfer.agrees;
		ours += transfer.ours;
		curl_slist_free_all(transfer.fields);
	}
	printf("%d %d\n", agree, ours);
	return 0;
}
