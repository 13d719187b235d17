/* redis_command.c - the commands whose arguments are not all secrets. What is not in the table is told by its
 * name alone. Keys and names of fields are told, as many as the command takes; values never. */
#include "hooks/protocols/redis.h"

/* Sorted by name. */
static const struct redis_command commands[] = {
	{"acl", REDIS_VERB, REDIS_PLAIN,
	 "CAT DELUSER DRYRUN GENPASS GETUSER HELP LIST LOAD LOG SAVE SETUSER USERS WHOAMI"},
	{"append", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"auth", REDIS_NONE, REDIS_PLAIN, NULL},
	{"bitcount", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"bitpos", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"blpop", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"brpop", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"bzpopmax", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"bzpopmin", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"client", REDIS_VERB, REDIS_CLIENT,
	 "CACHING GETNAME GETREDIR HELP ID INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO SETNAME "
	 "TRACKING TRACKINGINFO UNBLOCK UNPAUSE"},
	{"cluster", REDIS_VERB, REDIS_PLAIN,
	 "ADDSLOTS ADDSLOTSRANGE BUMPEPOCH COUNT-FAILURE-REPORTS COUNTKEYSINSLOT DELSLOTS DELSLOTSRANGE "
	 "FAILOVER FLUSHSLOTS FORGET GETKEYSINSLOT HELP INFO KEYSLOT LINKS MEET MYID MYSHARDID NODES "
	 "REPLICAS REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SHARDS SLAVES SLOT-STATS SLOTS"},
	{"command", REDIS_VERB, REDIS_PLAIN, "COUNT DOCS GETKEYS GETKEYSANDFLAGS HELP INFO LIST"},
	{"config", REDIS_VERB, REDIS_PLAIN, "GET HELP RESETSTAT REWRITE SET"},
	{"decr", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"decrby", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"del", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"dump", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"eval", REDIS_HIDE, REDIS_PLAIN, NULL},
	{"eval_ro", REDIS_HIDE, REDIS_PLAIN, NULL},
	{"evalsha", REDIS_FIRST, REDIS_SCRIPT, NULL},
	{"evalsha_ro", REDIS_FIRST, REDIS_SCRIPT, NULL},
	{"exec", REDIS_HIDE, REDIS_EXEC, NULL},
	{"exists", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"expire", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"expireat", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"fcall", REDIS_FIRST, REDIS_SCRIPT, NULL},
	{"fcall_ro", REDIS_FIRST, REDIS_SCRIPT, NULL},
	{"function", REDIS_VERB, REDIS_PLAIN, "DELETE DUMP FLUSH HELP KILL LIST LOAD RESTORE STATS"},
	{"geoadd", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"geodist", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"geosearch", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"get", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"getbit", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"getdel", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"getex", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"getrange", REDIS_THREE, REDIS_PLAIN, NULL},
	{"getset", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hdel", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"hello", REDIS_VERB, REDIS_PLAIN, "2 3"},
	{"hexists", REDIS_TWO, REDIS_PLAIN, NULL},
	{"hget", REDIS_TWO, REDIS_PLAIN, NULL},
	{"hgetall", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hincrby", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hkeys", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hlen", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hmget", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"hmset", REDIS_KEY_PAIRS, REDIS_PLAIN, NULL},
	{"hscan", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"hset", REDIS_KEY_PAIRS, REDIS_PLAIN, NULL},
	{"hsetnx", REDIS_TWO, REDIS_PLAIN, NULL},
	{"hvals", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"incr", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"incrby", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"incrbyfloat", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"info", REDIS_VERB, REDIS_PLAIN,
	 "ALL CLIENTS CLUSTER COMMANDSTATS CPU DEFAULT ERRORSTATS EVERYTHING KEYSPACE LATENCYSTATS MEMORY "
	 "MODULES PERSISTENCE REPLICATION SENTINEL SERVER STATS"},
	{"keys", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lindex", REDIS_TWO, REDIS_PLAIN, NULL},
	{"llen", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lpop", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lpush", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lpushx", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lrange", REDIS_THREE, REDIS_PLAIN, NULL},
	{"lrem", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"lset", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"ltrim", REDIS_THREE, REDIS_PLAIN, NULL},
	{"mget", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"migrate", REDIS_VERB, REDIS_PLAIN, ""},
	{"monitor", REDIS_HIDE, REDIS_LEAVES, NULL},
	{"mset", REDIS_PAIRS, REDIS_PLAIN, NULL},
	{"msetnx", REDIS_PAIRS, REDIS_PLAIN, NULL},
	{"multi", REDIS_HIDE, REDIS_MULTI, NULL},
	{"object", REDIS_VERB, REDIS_PLAIN, "ENCODING FREQ HELP IDLETIME REFCOUNT"},
	{"persist", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"pexpire", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"pfadd", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"pfcount", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"pfmerge", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"psetex", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"psubscribe", REDIS_KEYS, REDIS_LEAVES, NULL},
	{"psync", REDIS_HIDE, REDIS_LEAVES, NULL},
	{"pttl", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"publish", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"rename", REDIS_TWO, REDIS_PLAIN, NULL},
	{"renamenx", REDIS_TWO, REDIS_PLAIN, NULL},
	{"restore", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"rpop", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"rpoplpush", REDIS_TWO, REDIS_PLAIN, NULL},
	{"rpush", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"rpushx", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"sadd", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"scard", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"script", REDIS_VERB, REDIS_PLAIN, "DEBUG EXISTS FLUSH HELP KILL LOAD SHOW"},
	{"sdiff", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"sdiffstore", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"select", REDIS_FIRST, REDIS_SELECT, NULL},
	{"set", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"setbit", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"setex", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"setnx", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"setrange", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"sinter", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"sinterstore", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"sismember", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"smembers", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"spop", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"spublish", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"srem", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"sscan", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"ssubscribe", REDIS_KEYS, REDIS_LEAVES, NULL},
	{"strlen", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"subscribe", REDIS_KEYS, REDIS_LEAVES, NULL},
	{"sunion", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"sunionstore", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"sync", REDIS_HIDE, REDIS_LEAVES, NULL},
	{"touch", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"ttl", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"type", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"unlink", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"watch", REDIS_KEYS, REDIS_PLAIN, NULL},
	{"xack", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"xadd", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"xlen", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"xrange", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zadd", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zcard", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zcount", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zincrby", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zpopmax", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zpopmin", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zrange", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zrangebyscore", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zrank", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zrem", REDIS_FIRST, REDIS_PLAIN, NULL},
	{"zscore", REDIS_FIRST, REDIS_PLAIN, NULL},
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
	static const struct redis_command unknown = {"", REDIS_HIDE, REDIS_PLAIN, NULL};
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

static bool is_letter(char c)
{
	return bytes_lower(c) >= 'a' && bytes_lower(c) <= 'z';
}

struct bytes redis_name_told(const struct redis_command *command, struct bytes name)
{
	bool word = name.len && name.len <= REDIS_NAME && is_letter(name.ptr[0]);

	if (command->name[0])
		return name;
	for (size_t i = 0; i < name.len && word; i++) {
		char c = name.ptr[i];
		word = is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
	}
	return word ? name : BYTES("?");
}

bool redis_verb_told(const struct redis_command *command, struct bytes word)
{
	struct bytes verbs = bytes_of(command->verbs);

	while (verbs.len) {
		struct bytes verb = bytes_until(verbs, bytes_find(verbs, ' '));
		if (bytes_equal_nocase(verb, word))
			return true;
		verbs = bytes_from(verbs, verb.len + (verb.len < verbs.len));
	}
	return false;
}

bool redis_told(const struct redis_command *command, uint32_t arguments, uint32_t index)
{
	if (command->keep == REDIS_NONE || command->keep == REDIS_VERB)
		return false;
	if (protocol_settings.db_text == DB_TEXT_RAW)
		return true;
	switch (command->keep) {
	case REDIS_PAIRS: /* of a number that is no number of pairs nobody knows which are the keys */
		return index == 1 || (index % 2 == 1 && arguments % 2 == 1);
	case REDIS_KEY_PAIRS:
		return index == 1 || (index % 2 == 0 && arguments % 2 == 0);
	case REDIS_KEYS:
		return true;
	default:
		return index <= (uint32_t)command->keep - REDIS_HIDE;
	}
}
