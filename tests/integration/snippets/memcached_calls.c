/* memcached_calls.c HOST PORT PATH WAY: libmemcached, WAY ascii, binary, noreply or binary_noreply; PATH "" for TCP. Prints
 * what it got. */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(memcached_st *memc, const char *what, memcached_return_t result)
{
	printf("%s: %s\n", what, memcached_strerror(memc, result));
}

static void get(memcached_st *memc, const char *key)
{
	size_t len = 0;
	uint32_t flags;
	memcached_return_t result;
	char *value = memcached_get(memc, key, strlen(key), &len, &flags, &result);

	printf("%s %.*s %zu\n", key, (int)(len < 20 ? len : 20), value ? value : "", len);
	show(memc, "get", result);
	free(value);
}

/* What fails is told all the same, and libmemcached takes it for what it asks next: not with noreply. */
static void store(memcached_st *memc, int fail)
{
	char *big = malloc(3000000);
	uint64_t number;

	memset(big, 'x', 3000000);
	for (int i = 0; i < 5; i++) {
		char key[20];
		snprintf(key, sizeof(key), "secret:%d", i);
		show(memc, "set", memcached_set(memc, key, strlen(key), "secret", 6, 0, 0));
	}
	if (fail)
		show(memc, "add", memcached_add(memc, "secret:0", 8, "x", 1, 0, 0));
	show(memc, "append", memcached_append(memc, "secret:0", 8, "more", 4, 0, 0));
	show(memc, "big", memcached_set(memc, "secret:big", 10, big, 3000000, 0, 0));
	show(memc, "count", memcached_set(memc, "count", 5, "7", 1, 0, 0));
	show(memc, "incr", memcached_increment(memc, "count", 5, 3, &number));
	if (fail)
		show(memc, "incr", memcached_increment(memc, "secret:1", 8, 3, &number));
	show(memc, "delete", memcached_delete(memc, "secret:4", 8, 0));
	if (fail)
		show(memc, "delete", memcached_delete(memc, "nothing", 7, 0));
	free(big);
}

static void fetch(memcached_st *memc)
{
	const char *keys[] = {"secret:0", "secret:1", "nothing", "secret:3"};
	const size_t lens[] = {8, 8, 7, 8};
	memcached_return_t result;
	memcached_result_st *found;

	get(memc, "secret:0");
	get(memc, "secret:4");
	get(memc, "secret:big");
	get(memc, "count");
	show(memc, "mget", memcached_mget(memc, keys, lens, 4));
	while ((found = memcached_fetch_result(memc, NULL, &result)) != NULL) {
		printf("%.*s = %.*s\n", (int)memcached_result_key_length(found), memcached_result_key_value(found),
		       (int)memcached_result_length(found), memcached_result_value(found));
		memcached_result_free(found);
	}
}

int main(int argc, char **argv)
{
	memcached_st *memc = memcached_create(NULL);
	const char *way = argv[4];

	(void)argc;
	if (argv[3][0])
		memcached_server_add_unix_socket(memc, argv[3]);
	else
		memcached_server_add(memc, argv[1], (in_port_t)atoi(argv[2]));
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, strncmp(way, "binary", 6) == 0);
	if (strstr(way, "noreply"))
		memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_NOREPLY, 1);
	store(memc, !strstr(way, "noreply"));
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_NOREPLY, 0);
	fetch(memc);
	memcached_free(memc);
	return 0;
}
