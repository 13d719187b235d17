/* redis_command.c - the commands whose arguments are not all secrets. What is not in the table is told by its
 * name alone. Keys and names of fields are told, values never. */
#include "hooks/protocols/redis.h"

/* Sorted by name. */
static const struct redis_command commands[] = {
	{"acl", REDIS_VERB, REDIS_PLAIN},
	{"append", REDIS_FIRST, REDIS_PLAIN},
	{"auth", REDIS_NONE, REDIS_PLAIN},
	{"bitcount", REDIS_FIRST, REDIS_PLAIN},
	{"bitpos", REDIS_FIRST, REDIS_PLAIN},
	{"blpop", REDIS_KEYS, REDIS_PLAIN},
	{"brpop", REDIS_KEYS, REDIS_PLAIN},
	{"bzpopmax", REDIS_KEYS, REDIS_PLAIN},
	{"bzpopmin", REDIS_KEYS, REDIS_PLAIN},
	{"client", REDIS_VERB, REDIS_CLIENT},
	{"cluster", REDIS_VERB, REDIS_PLAIN},
	{"command", REDIS_VERB, REDIS_PLAIN},
	{"config", REDIS_VERB, REDIS_PLAIN},
	{"decr", REDIS_FIRST, REDIS_PLAIN},
	{"decrby", REDIS_FIRST, REDIS_PLAIN},
	{"del", REDIS_KEYS, REDIS_PLAIN},
	{"dump", REDIS_FIRST, REDIS_PLAIN},
	{"eval", REDIS_HIDE, REDIS_PLAIN},
	{"eval_ro", REDIS_HIDE, REDIS_PLAIN},
	{"evalsha", REDIS_FIRST, REDIS_SCRIPT},
	{"evalsha_ro", REDIS_FIRST, REDIS_SCRIPT},
	{"exec", REDIS_KEYS, REDIS_EXEC},
	{"exists", REDIS_KEYS, REDIS_PLAIN},
	{"expire", REDIS_FIRST, REDIS_PLAIN},
	{"expireat", REDIS_FIRST, REDIS_PLAIN},
	{"fcall", REDIS_FIRST, REDIS_SCRIPT},
	{"fcall_ro", REDIS_FIRST, REDIS_SCRIPT},
	{"function", REDIS_VERB, REDIS_PLAIN},
	{"geoadd", REDIS_FIRST, REDIS_PLAIN},
	{"geodist", REDIS_FIRST, REDIS_PLAIN},
	{"geosearch", REDIS_FIRST, REDIS_PLAIN},
	{"get", REDIS_KEYS, REDIS_PLAIN},
	{"getbit", REDIS_FIRST, REDIS_PLAIN},
	{"getdel", REDIS_FIRST, REDIS_PLAIN},
	{"getex", REDIS_FIRST, REDIS_PLAIN},
	{"getrange", REDIS_KEYS, REDIS_PLAIN},
	{"getset", REDIS_FIRST, REDIS_PLAIN},
	{"hdel", REDIS_KEYS, REDIS_PLAIN},
	{"hello", REDIS_VERB, REDIS_PLAIN},
	{"hexists", REDIS_KEYS, REDIS_PLAIN},
	{"hget", REDIS_KEYS, REDIS_PLAIN},
	{"hgetall", REDIS_KEYS, REDIS_PLAIN},
	{"hincrby", REDIS_FIRST, REDIS_PLAIN},
	{"hkeys", REDIS_KEYS, REDIS_PLAIN},
	{"hlen", REDIS_KEYS, REDIS_PLAIN},
	{"hmget", REDIS_KEYS, REDIS_PLAIN},
	{"hmset", REDIS_KEY_PAIRS, REDIS_PLAIN},
	{"hscan", REDIS_FIRST, REDIS_PLAIN},
	{"hset", REDIS_KEY_PAIRS, REDIS_PLAIN},
	{"hsetnx", REDIS_KEY_PAIRS, REDIS_PLAIN},
	{"hvals", REDIS_KEYS, REDIS_PLAIN},
	{"incr", REDIS_FIRST, REDIS_PLAIN},
	{"incrby", REDIS_FIRST, REDIS_PLAIN},
	{"incrbyfloat", REDIS_FIRST, REDIS_PLAIN},
	{"info", REDIS_KEYS, REDIS_PLAIN},
	{"keys", REDIS_KEYS, REDIS_PLAIN},
	{"lindex", REDIS_KEYS, REDIS_PLAIN},
	{"llen", REDIS_KEYS, REDIS_PLAIN},
	{"lpop", REDIS_FIRST, REDIS_PLAIN},
	{"lpush", REDIS_FIRST, REDIS_PLAIN},
	{"lpushx", REDIS_FIRST, REDIS_PLAIN},
	{"lrange", REDIS_KEYS, REDIS_PLAIN},
	{"lrem", REDIS_FIRST, REDIS_PLAIN},
	{"lset", REDIS_FIRST, REDIS_PLAIN},
	{"ltrim", REDIS_KEYS, REDIS_PLAIN},
	{"mget", REDIS_KEYS, REDIS_PLAIN},
	{"migrate", REDIS_VERB, REDIS_PLAIN},
	{"monitor", REDIS_HIDE, REDIS_LEAVES},
	{"mset", REDIS_PAIRS, REDIS_PLAIN},
	{"msetnx", REDIS_PAIRS, REDIS_PLAIN},
	{"multi", REDIS_KEYS, REDIS_MULTI},
	{"object", REDIS_VERB, REDIS_PLAIN},
	{"persist", REDIS_FIRST, REDIS_PLAIN},
	{"pexpire", REDIS_FIRST, REDIS_PLAIN},
	{"pfadd", REDIS_FIRST, REDIS_PLAIN},
	{"pfcount", REDIS_KEYS, REDIS_PLAIN},
	{"pfmerge", REDIS_KEYS, REDIS_PLAIN},
	{"psetex", REDIS_FIRST, REDIS_PLAIN},
	{"psubscribe", REDIS_KEYS, REDIS_LEAVES},
	{"psync", REDIS_HIDE, REDIS_LEAVES},
	{"pttl", REDIS_FIRST, REDIS_PLAIN},
	{"publish", REDIS_FIRST, REDIS_PLAIN},
	{"rename", REDIS_KEYS, REDIS_PLAIN},
	{"renamenx", REDIS_KEYS, REDIS_PLAIN},
	{"restore", REDIS_FIRST, REDIS_PLAIN},
	{"rpop", REDIS_FIRST, REDIS_PLAIN},
	{"rpoplpush", REDIS_KEYS, REDIS_PLAIN},
	{"rpush", REDIS_FIRST, REDIS_PLAIN},
	{"rpushx", REDIS_FIRST, REDIS_PLAIN},
	{"sadd", REDIS_FIRST, REDIS_PLAIN},
	{"scard", REDIS_KEYS, REDIS_PLAIN},
	{"script", REDIS_VERB, REDIS_PLAIN},
	{"sdiff", REDIS_KEYS, REDIS_PLAIN},
	{"sdiffstore", REDIS_KEYS, REDIS_PLAIN},
	{"select", REDIS_KEYS, REDIS_SELECT},
	{"set", REDIS_FIRST, REDIS_PLAIN},
	{"setbit", REDIS_FIRST, REDIS_PLAIN},
	{"setex", REDIS_FIRST, REDIS_PLAIN},
	{"setnx", REDIS_FIRST, REDIS_PLAIN},
	{"setrange", REDIS_FIRST, REDIS_PLAIN},
	{"sinter", REDIS_KEYS, REDIS_PLAIN},
	{"sinterstore", REDIS_KEYS, REDIS_PLAIN},
	{"sismember", REDIS_FIRST, REDIS_PLAIN},
	{"smembers", REDIS_KEYS, REDIS_PLAIN},
	{"spop", REDIS_FIRST, REDIS_PLAIN},
	{"spublish", REDIS_FIRST, REDIS_PLAIN},
	{"srem", REDIS_FIRST, REDIS_PLAIN},
	{"sscan", REDIS_FIRST, REDIS_PLAIN},
	{"ssubscribe", REDIS_KEYS, REDIS_LEAVES},
	{"strlen", REDIS_KEYS, REDIS_PLAIN},
	{"subscribe", REDIS_KEYS, REDIS_LEAVES},
	{"sunion", REDIS_KEYS, REDIS_PLAIN},
	{"sunionstore", REDIS_KEYS, REDIS_PLAIN},
	{"sync", REDIS_HIDE, REDIS_LEAVES},
	{"touch", REDIS_KEYS, REDIS_PLAIN},
	{"ttl", REDIS_FIRST, REDIS_PLAIN},
	{"type", REDIS_KEYS, REDIS_PLAIN},
	{"unlink", REDIS_KEYS, REDIS_PLAIN},
	{"watch", REDIS_KEYS, REDIS_PLAIN},
	{"xack", REDIS_FIRST, REDIS_PLAIN},
	{"xadd", REDIS_FIRST, REDIS_PLAIN},
	{"xlen", REDIS_KEYS, REDIS_PLAIN},
	{"xrange", REDIS_FIRST, REDIS_PLAIN},
	{"zadd", REDIS_FIRST, REDIS_PLAIN},
	{"zcard", REDIS_KEYS, REDIS_PLAIN},
	{"zcount", REDIS_FIRST, REDIS_PLAIN},
	{"zincrby", REDIS_FIRST, REDIS_PLAIN},
	{"zpopmax", REDIS_FIRST, REDIS_PLAIN},
	{"zpopmin", REDIS_FIRST, REDIS_PLAIN},
	{"zrange", REDIS_FIRST, REDIS_PLAIN},
	{"zrangebyscore", REDIS_FIRST, REDIS_PLAIN},
	{"zrank", REDIS_FIRST, REDIS_PLAIN},
	{"zrem", REDIS_FIRST, REDIS_PLAIN},
	{"zscore", REDIS_FIRST, REDIS_PLAIN},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int compare(struct bytes name, const char *known)
{
	for (size_t i = 0; i < name.len; i++) {
		int difference = (unsigned char)bytes_lower(name.ptr[i]) - (unsigned char)known[i];
		if (difference || !known[i]) /* a name may hold a NUL */
			return difference ? difference : 1;
	}
	return known[name.len] ? -1 : 0;
}

const struct redis_command *redis_command(struct bytes name)
{
	static const struct redis_command unknown = {"", REDIS_HIDE, REDIS_PLAIN};
	size_t low = 0, high = COMMANDS;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, commands[middle].name);
		if (order == 0)
			return &commands[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return &unknown;
}

const struct redis_command *redis_command_again(const struct redis_command *before, struct bytes name)
{
	return before && compare(name, before->name) == 0 ? before : redis_command(name);
}

bool redis_told(const struct redis_command *command, uint32_t index)
{
	bool raw = protocol_settings.db_text == DB_TEXT_RAW;

	switch (command->keep) {
	case REDIS_NONE:
		return false;
	case REDIS_VERB:
		return index == 1;
	case REDIS_FIRST:
		return raw || index == 1;
	case REDIS_PAIRS:
		return raw || index % 2 == 1;
	case REDIS_KEY_PAIRS:
		return raw || index == 1 || index % 2 == 0;
	case REDIS_KEYS:
		return true;
	default:
		return raw;
	}
}
