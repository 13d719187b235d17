/* memcached_binary.c - the binary protocol: 24 bytes of header, then extras, key and value, of which nothing
 * is read.
 *
 * A quiet command is answered only when there is something to say: a hit for a read, a failure for all
 * others. That comes under its own number or under that of the one that is not quiet (memcached does the
 * first for reads, the second for the others). The opaque that comes back tells them apart, if the client
 * gives each its own. */
#include "hooks/protocols/memcached.h"

enum form { NOTHING, NO_KEY, KEY, KEY_VALUE, KEY_MAYBE };
enum quiet { SPEAKS, QUIET_READ, QUIET_WRITE };

struct op {
	struct bytes name;
	uint8_t answered_as;
	uint8_t extras; /* bytes */
	uint8_t form, quiet;
};

#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
#define OP_QUIT 0x07
#define OP_FLUSH 0x08
#define OP_FLUSHQ 0x18
#define OP_NOOP 0x0a
#define OP_STAT 0x10
#define OP_QUITQ 0x17
#define OP_GETK 0x0c
#define OP_GAT 0x1d
#define OP_GATK 0x23

static const struct op ops[] = {
	[0x00] = {NAME("get"), 0x00, 0, KEY, SPEAKS},
	[0x01] = {NAME("set"), 0x01, 8, KEY_VALUE, SPEAKS},
	[0x02] = {NAME("add"), 0x02, 8, KEY_VALUE, SPEAKS},
	[0x03] = {NAME("replace"), 0x03, 8, KEY_VALUE, SPEAKS},
	[0x04] = {NAME("delete"), 0x04, 0, KEY, SPEAKS},
	[0x05] = {NAME("incr"), 0x05, 20, KEY, SPEAKS},
	[0x06] = {NAME("decr"), 0x06, 20, KEY, SPEAKS},
	[OP_QUIT] = {NAME("quit"), OP_QUIT, 0, NO_KEY, SPEAKS},
	[OP_FLUSH] = {NAME("flush_all"), OP_FLUSH, 4, NO_KEY, SPEAKS},
	[0x09] = {NAME("get"), 0x00, 0, KEY, QUIET_READ},
	[OP_NOOP] = {NAME("noop"), OP_NOOP, 0, NO_KEY, SPEAKS},
	[0x0b] = {NAME("version"), 0x0b, 0, NO_KEY, SPEAKS},
	[OP_GETK] = {NAME("get"), OP_GETK, 0, KEY, SPEAKS},
	[0x0d] = {NAME("get"), OP_GETK, 0, KEY, QUIET_READ},
	[0x0e] = {NAME("append"), 0x0e, 0, KEY_VALUE, SPEAKS},
	[0x0f] = {NAME("prepend"), 0x0f, 0, KEY_VALUE, SPEAKS},
	[OP_STAT] = {NAME("stats"), OP_STAT, 0, KEY_MAYBE, SPEAKS},
	[0x11] = {NAME("set"), 0x01, 8, KEY_VALUE, QUIET_WRITE},
	[0x12] = {NAME("add"), 0x02, 8, KEY_VALUE, QUIET_WRITE},
	[0x13] = {NAME("replace"), 0x03, 8, KEY_VALUE, QUIET_WRITE},
	[0x14] = {NAME("delete"), 0x04, 0, KEY, QUIET_WRITE},
	[0x15] = {NAME("incr"), 0x05, 20, KEY, QUIET_WRITE},
	[0x16] = {NAME("decr"), 0x06, 20, KEY, QUIET_WRITE},
	[OP_QUITQ] = {NAME("quit"), OP_QUIT, 0, NO_KEY, SPEAKS},
	[OP_FLUSHQ] = {NAME("flush_all"), OP_FLUSH, 4, NO_KEY, QUIET_WRITE},
	[0x19] = {NAME("append"), 0x0e, 0, KEY_VALUE, QUIET_WRITE},
	[0x1a] = {NAME("prepend"), 0x0f, 0, KEY_VALUE, QUIET_WRITE},
	[0x1b] = {NAME("verbosity"), 0x1b, 4, NO_KEY, SPEAKS},
	[0x1c] = {NAME("touch"), 0x1c, 4, KEY, SPEAKS},
	[OP_GAT] = {NAME("gat"), OP_GAT, 4, KEY, SPEAKS},
	[0x1e] = {NAME("gat"), OP_GAT, 4, KEY, QUIET_READ},
	[0x20] = {NAME("sasl_list_mechs"), 0x20, 0, NO_KEY, SPEAKS},
	[0x21] = {NAME("sasl_auth"), 0x21, 0, KEY_VALUE, SPEAKS},
	[0x22] = {NAME("sasl_step"), 0x22, 0, KEY_VALUE, SPEAKS},
	[OP_GATK] = {NAME("gat"), OP_GATK, 4, KEY, SPEAKS},
	[0x24] = {NAME("gat"), OP_GATK, 4, KEY, QUIET_READ},
};

static uint32_t number(const unsigned char *at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t bit(uint8_t answered_as)
{
	return 1u << (answered_as == OP_GATK ? OP_GAT : answered_as);
}

/* What the header asks for; NULL: it is none, or its lengths do not fit each other. */
static const struct op *op_of(const unsigned char *header)
{
	const struct op *op = header[1] < sizeof(ops) / sizeof(ops[0]) ? &ops[header[1]] : NULL;
	uint32_t key = number(header + 2, 2), extras = header[4], body = number(header + 8, 4);
	uint32_t value = body - extras - key;

	if (!op || op->form == NOTHING || header[0] != 0x80 || header[5] != 0 || body < extras + key ||
	    body > INT32_MAX || key > MEMCACHED_KEY)
		return NULL;
	if (extras != op->extras && !(extras == 0 && (header[1] == OP_FLUSH || header[1] == OP_FLUSHQ)))
		return NULL;
	if (value && op->form != KEY_VALUE)
		return NULL;
	if (op->form == NO_KEY ? key > 0 : op->form != KEY_MAYBE && key == 0)
		return NULL;
	return op;
}

bool memcached_binary_begins(struct bytes first)
{
	return first.len >= MEMCACHED_HEADER && op_of((const unsigned char *)first.ptr) != NULL;
}

/* True when it is there as a whole. */
static bool header(struct memcached_run *run, unsigned char *room, uint8_t *used)
{
	/* What a text protocol's server said before the client began counts differently. */
	size_t have = *used < MEMCACHED_HEADER ? *used : MEMCACHED_HEADER;
	struct bytes piece = bytes_until(bytes_from(run->in, run->at), MEMCACHED_HEADER - have);

	if (have < *used) {
		memcached_refuse(run, MEMCACHED_BAD);
		return false;
	}
	if (piece.ptr)
		memcpy(room + *used, piece.ptr, piece.len);
	*used = (uint8_t)(*used + piece.len);
	run->at += piece.len;
	return *used == MEMCACHED_HEADER;
}

static void body(struct memcached_run *run, uint64_t *left)
{
	size_t there = run->in.len - run->at;
	size_t take = *left < there ? (size_t)*left : there;

	run->at += take;
	*left -= take;
}

/* --- requests ------------------------------------------------------------------------------------------- */

void memcached_binary_early(struct memcached_run *run)
{
	const unsigned char *asked = run->state->request.header;
	const struct op *op = &ops[asked[1]];
	struct memcached_wish wish = {
		.name = op->name,
		.opaque = number(asked + 12, 4),
		.ahead = op->quiet == SPEAKS ? 0 : bit(op->answered_as),
		.kind = op->answered_as == OP_STAT ? MEMCACHED_STATS : MEMCACHED_ONE,
		.op = op->answered_as,
		.closes = op->answered_as == OP_NOOP,
		.reads = op->quiet == QUIET_READ,
	};
	memcached_asked(run, &wish);
}

static void header_done(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_request *request = &state->request;
	const struct op *op = op_of(request->header);

	if (!op) {
		memcached_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	if (op->answered_as == OP_QUIT) {
		state->quit = true;
		return;
	}
	memcached_begins(run);
	request->left = number(request->header + 8, 4);
	request->step = MEMCACHED_BODY;
}

void memcached_binary_requests(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_request *request = &state->request;

	while (!state->opaque && !state->quit) {
		if (request->step != MEMCACHED_START) {
			body(run, &request->left);
			if (request->left)
				return;
			if (request->step != MEMCACHED_SPENT)
				memcached_binary_early(run);
			request->step = MEMCACHED_START;
			request->used = 0;
		}
		if (run->at == run->in.len)
			return;
		if (header(run, request->header, &request->used))
			header_done(run);
	}
}

/* --- replies -------------------------------------------------------------------------------------------- */

/* A miss, a key that is there already, and a condition that did not hold are answers; 0x21: go on. */
static bool fails(uint32_t status)
{
	return status != 0 && status != 1 && status != 2 && status != 5 && status != 0x21;
}

static struct bytes code(uint32_t status, char *room)
{
	static const char digits[] = "0123456789abcdef";

	room[0] = '0';
	room[1] = 'x';
	for (int i = 0; i < 4; i++)
		room[2 + i] = digits[status >> (12 - 4 * i) & 0xf];
	return (struct bytes){room, 6};
}

static bool is_read(uint8_t op)
{
	return op == 0x00 || op == OP_GETK || op == OP_GAT || op == OP_GATK;
}

/* Commands that are told to be quiet, and those that they are the quiet form of. */
static bool may_be_quiet(uint8_t number)
{
	return number < sizeof(ops) / sizeof(ops[0]) && ops[number].form != NOTHING &&
	       (ops[number].answered_as <= OP_GAT || ops[number].answered_as == OP_GATK);
}

/* The entry's own? Or what a quiet one ahead of it had to say. */
static enum memcached_next next_of(struct memcached_run *run, const struct memcached_entry *entry)
{
	const unsigned char *reply = run->state->reply.header;
	uint32_t status = number(reply + 6, 2), ahead = entry ? entry->ahead : run->state->ahead;
	bool own = entry && reply[1] == entry->op && number(reply + 12, 4) == entry->opaque;
	bool quiet = may_be_quiet(reply[1]) && (ahead & bit(ops[reply[1]].answered_as));
	char room[6];

	/* Both are possible: a quiet read tells no miss, the others nothing but failures. */
	if (own && quiet && entry->clash && (is_read(reply[1]) ? status != 1 : status != 0))
		return MEMCACHED_DOUBT;
	if (own && fails(status))
		memcached_failed(run, code(status, room));
	if (own && entry->kind == MEMCACHED_STATS)
		return status || number(reply + 8, 4) == 0 ? MEMCACHED_LAST : MEMCACHED_GOES_ON;
	if (own)
		return MEMCACHED_LAST;
	if (!quiet)
		return MEMCACHED_BAD;
	if (fails(status) && !memcached_failed_ahead(run, ahead, code(status, room)))
		return MEMCACHED_DOUBT;
	return MEMCACHED_GOES_ON;
}

static void reply_begins(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_reply *reply = &state->reply;
	const struct memcached_entry *entry = memcached_awaited(run);

	if (state->opaque)
		return;
	reply->left = number(reply->header + 8, 4);
	if (!entry && state->quit && reply->header[1] == OP_QUIT)
		reply->next = MEMCACHED_GOES_ON;
	else
		reply->next = (uint8_t)next_of(run, entry);
	if (reply->header[0] != 0x81 || reply->next == MEMCACHED_BAD || reply->next == MEMCACHED_DOUBT) {
		memcached_refuse(run, reply->next == MEMCACHED_DOUBT ? MEMCACHED_DOUBT : MEMCACHED_BAD);
		return;
	}
	memcached_understood(run, entry);
	reply->step = MEMCACHED_BODY;
}

void memcached_binary_replies(struct memcached_run *run)
{
	struct memcached_state *state = run->state;
	struct memcached_reply *reply = &state->reply;

	while (!state->opaque) {
		if (reply->step != MEMCACHED_START) {
			body(run, &reply->left);
			if (reply->left)
				return;
			reply->step = MEMCACHED_START;
			reply->used = 0;
			if (reply->next == MEMCACHED_LAST)
				memcached_answered(run);
		}
		if (run->at == run->in.len)
			return;
		if (header(run, reply->header, &reply->used))
			reply_begins(run);
	}
}
