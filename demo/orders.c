/* orders PORT STOCK_URL: looks an order up, and asks stock about it with libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

static const char *stock_url;

struct text {
	char data[2048];
	size_t len;
};

static size_t collect(char *data, size_t size, size_t count, void *arg)
{
	struct text *text = arg;
	size_t len = size * count, room = sizeof(text->data) - 1 - text->len;
	memcpy(text->data + text->len, data, len < room ? len : room);
	text->len += len < room ? len : room;
	return len;
}

static long ask_stock(int item, struct text *text)
{
	char url[512];
	long status = 0;
	CURL *curl = curl_easy_init();
	snprintf(url, sizeof(url), "%s/item/%d", stock_url, item);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status;
}

static int order(const char *path, char *body, size_t size)
{
	struct text text = {.len = 0};
	int item;
	if (sscanf(path, "/order/%d", &item) != 1) {
		snprintf(body, size, "{\"error\": \"no such order\"}\n");
		return 404;
	}
	long status = ask_stock(item, &text);
	text.data[text.len] = '\0';
	if (status != 200) {
		snprintf(body, size, "{\"error\": \"stock answered %ld\"}\n", status);
		return 500;
	}
	snprintf(body, size, "{\"order\": %d, \"stock\": %s}\n", item, text.data);
	return 200;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: orders PORT STOCK_URL\n");
		return 2;
	}
	stock_url = argv[2];
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return serve(atoi(argv[1]), order);
}
