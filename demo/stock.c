/* stock PORT: how many of an item there are. Item 13 cannot be counted, item 99 takes its time. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http.h"

static int count(const char *path, char *body, size_t size)
{
	int item;
	if (sscanf(path, "/item/%d", &item) != 1) {
		snprintf(body, size, "{\"error\": \"no such thing\"}\n");
		return 404;
	}
	if (item == 13) {
		snprintf(body, size, "{\"error\": \"the shelf is on fire\"}\n");
		return 503;
	}
	if (item == 99)
		usleep(300000);
	snprintf(body, size, "{\"item\": %d, \"left\": %d}\n", item, item * 7 % 50);
	return 200;
}

int main(int argc, char **argv)
{
	return serve(argc > 1 ? atoi(argv[1]) : 8004, count);
}
