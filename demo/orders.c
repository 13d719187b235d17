/* orders PORT STOCK_URL DATABASE: looks an order up in PostgreSQL, and asks stock about it with libcurl. Order 7 is of
 * a shape that somebody once wrote in a hurry: a query for the order's lines, and then one more for each of them. */
#include <curl/curl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

static const char *stock_url, *database;

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

static PGresult *query(PGconn *db, const char *sql, const char *value)
{
	return PQexecParams(db, sql, 1, NULL, &value, NULL, NULL, 0);
}

/* Who ordered, or -1 where there is no such order. */
static int look_up(PGconn *db, int item, char *customer, size_t size)
{
	char id[16];
	snprintf(id, sizeof(id), "%d", item);
	PGresult *found = query(db, "SELECT customer FROM orders WHERE id = $1", id);
	int rows = PQntuples(found);
	if (rows > 0)
		snprintf(customer, size, "%s", PQgetvalue(found, 0, 0));
	PQclear(found);
	PGresult *lines = query(db, "SELECT product FROM order_lines WHERE order_id = $1", id);
	for (int i = 0; i < PQntuples(lines); i++)
		PQclear(query(db, "SELECT name, price FROM products WHERE id = $1", PQgetvalue(lines, i, 0)));
	PQclear(lines);
	return rows > 0 ? 0 : -1;
}

static int order(const char *path, char *body, size_t size)
{
	struct text text = {.len = 0};
	char customer[64] = "";
	int item;
	if (sscanf(path, "/order/%d", &item) != 1) {
		snprintf(body, size, "{\"error\": \"no such order\"}\n");
		return 404;
	}
	PGconn *db = PQconnectdb(database);
	int known = look_up(db, item, customer, sizeof(customer));
	PQfinish(db);
	if (known) {
		snprintf(body, size, "{\"error\": \"no order %d\"}\n", item);
		return 404;
	}
	long status = ask_stock(item, &text);
	text.data[text.len] = '\0';
	if (status != 200) {
		snprintf(body, size, "{\"error\": \"stock answered %ld\"}\n", status);
		return 500;
	}
	snprintf(body, size, "{\"order\": %d, \"customer\": \"%s\", \"stock\": %s}\n", item, customer, text.data);
	return 200;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: orders PORT STOCK_URL DATABASE\n");
		return 2;
	}
	stock_url = argv[2];
	database = argv[3];
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return serve(atoi(argv[1]), order);
}
