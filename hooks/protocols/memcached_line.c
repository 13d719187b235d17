/* memcached_line.c - a command's line, cut anywhere: which command, how many bytes follow, is it answered. */
#include "hooks/protocols/memcached.h"

#define VERB(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct memcached_verb verbs[] = {
	{VERB("get"), MEMCACHED_GET, MEMCACHED_VALUES, 2, 0},
	{VERB("set"), MEMCACHED_STORE, MEMCACHED_ONE, 5, 6},
	{VERB("gets"), MEMCACHED_GET, MEMCACHED_VALUES, 2, 0},
	{VERB("add"), MEMCACHED_STORE, MEMCACHED_ONE, 5, 6},
	{VERB("replace"), MEMCACHED_STORE, MEMCACHED_ONE, 5, 6},
	{VERB("append"), MEMCACHED_STORE, MEMCACHED_ONE, 5, 6},
	{VERB("prepend"), MEMCACHED_STORE, MEMCACHED_ONE, 5, 6},
	{VERB("cas"), MEMCACHED_CAS, MEMCACHED_ONE, 6, 7},
	{VERB("delete"), MEMCACHED_KEY_ONLY, MEMCACHED_ONE, 2, 4},
	{VERB("incr"), MEMCACHED_NUMBER, MEMCACHED_ONE, 3, 4},
	{VERB("decr"), MEMCACHED_NUMBER, MEMCACHED_ONE, 3, 4},
	{VERB("touch"), MEMCACHED_NUMBER, MEMCACHED_ONE, 3, 4},
	{VERB("gat"), MEMCACHED_GAT, MEMCACHED_VALUES, 3, 0},
	{VERB("gats"), MEMCACHED_GAT, MEMCACHED_VALUES, 3, 0},
	{VERB("mg"), MEMCACHED_FLAGS, MEMCACHED_META, 2, 0},
	{VERB("ms"), MEMCACHED_DATA, MEMCACHED_META, 3, 0},
	{VERB("md"), MEMCACHED_FLAGS, MEMCACHED_META, 2, 0},
	{VERB("ma"), MEMCACHED_FLAGS, MEMCACHED_META, 2, 0},
	{VERB("me"), MEMCACHED_FLAGS, MEMCACHED_META, 2, 3},
	{VERB("mn"), MEMCACHED_WORDS, MEMCACHED_NOOP, 1, 1},
	{VERB("stats"), MEMCACHED_WORDS, MEMCACHED_STATS, 1, 4},
	{VERB("version"), MEMCACHED_WORDS, MEMCACHED_ONE, 1, 1},
	{VERB("flush_all"), MEMCACHED_FLUSH, MEMCACHED_ONE, 1, 3},
	{VERB("verbosity"), MEMCACHED_NUMBER, MEMCACHED_ONE, 2, 3},
	{VERB("quit"), MEMCACHED_WORDS, MEMCACHED_QUIT, 1, 1},
};

static const struct memcached_verb *find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (bytes_equal(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool is_word(const struct memcached_line *line, struct bytes word)
{
	return line->len == word.len && memcmp(line->word, word.ptr, word.len) == 0;
}

/* Of the lines that data follow all must be right: after a wrong one the server takes the data for commands.
 */
static void word_of_data(struct memcached_line *line, uint32_t index, uint32_t bytes, uint32_t last)
{
	bool number = line->digits && (!line->minus || index == 3) && line->len <= 20;

	if (index == 1)
		line->bad |= line->len > MEMCACHED_KEY;
	else if (index <= last)
		line->bad |= !number;
	if (index != bytes)
		return;
	line->bad |= !number || line->minus || line->len > 10;
	line->bytes = line->number;
}

static void key(struct memcached_line *line, bool get)
{
	line->doubtful |= line->len > MEMCACHED_KEY || (get && line->word[0] == '/');
}

static void flag(struct memcached_line *line)
{
	char c = bytes_lower(line->word[0]);

	line->doubtful |= c < 'a' || c > 'z';
	line->quiet |= line->word[0] == 'q';
}

static void argument(struct memcached_line *line, uint32_t index)
{
	bool noreply = is_word(line, BYTES("noreply"));

	line->noreply = false; /* the last word counts */
	switch (line->verb->shape) {
	case MEMCACHED_STORE:
	case MEMCACHED_CAS:
		word_of_data(line, index, 4, line->verb->least - 1u);
		line->noreply = noreply && index >= line->verb->least;
		line->bad |= index >= line->verb->least && !noreply;
		break;
	case MEMCACHED_DATA:
		word_of_data(line, index, 2, 2);
		if (index > 2)
			flag(line);
		break;
	case MEMCACHED_FLAGS:
		if (index > 1)
			flag(line);
		else
			key(line, false);
		break;
	case MEMCACHED_GAT:
		line->doubtful |= index == 1 && !line->digits;
		break;
	case MEMCACHED_GET:
		key(line, true);
		break;
	case MEMCACHED_KEY_ONLY: /* other servers delete by number */
		line->doubtful |= index == 1 && line->digits;
		line->doubtful |= index > 1 && !noreply && !is_word(line, BYTES("0"));
		line->noreply = noreply && index > 1;
		break;
	case MEMCACHED_NUMBER:
		line->doubtful |= index == 2 && !line->digits;
		line->noreply = noreply && index > 1;
		line->bad |= noreply && index == 1 && line->verb->least == 2;
		break;
	case MEMCACHED_FLUSH:
		line->noreply = noreply;
		break;
	default:
		break;
	}
}

static void word_ends(struct memcached_line *line)
{
	if (line->len == 0) /* python3-memcache ends its lines so */
		return;
	uint32_t index = line->words++;
	if (index == 0) {
		line->verb =
			line->len <= sizeof(line->word) ? find((struct bytes){line->word, line->len}) : NULL;
		line->bad |= !line->verb;
	} else if (line->verb) {
		line->doubtful |= line->len > 5 && memcmp(line->word, "HTTP/", 5) == 0;
		argument(line, index);
	}
	line->len = 0;
}

static void ends(struct memcached_line *line)
{
	const struct memcached_verb *verb = line->verb;

	line->over = true;
	if (!verb)
		return;
	bool fits = line->words >= verb->least && (line->words <= verb->most || verb->most == 0);
	line->doubtful |= !fits || !line->cr;
	if (verb->shape == MEMCACHED_STORE || verb->shape == MEMCACHED_CAS || verb->shape == MEMCACHED_DATA)
		line->bad |= !fits;
}

static void take(struct memcached_line *line, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (line->len == 0) {
		line->number = 0;
		line->digits = true;
		line->minus = c == '-';
	}
	line->digits &= digit || (c == '-' && line->len == 0);
	if (digit && line->len < 20)
		line->number = line->number * 10 + (uint64_t)(c - '0');
	if (line->len < sizeof(line->word))
		line->word[line->len] = c;
	line->doubtful |= (unsigned char)c < ' ' || c == 0x7f;
	if (line->len < UINT16_MAX)
		line->len++;
}

size_t memcached_line(struct memcached_line *line, struct bytes in)
{
	for (size_t at = 0; at < in.len; at++) {
		char c = in.ptr[at];
		if (line->cr && c != '\n')
			line->bad = true;
		if (c == ' ') {
			line->doubtful |= line->len == 0;
			word_ends(line);
		} else if (c == '\n') {
			if (!line->cr)
				word_ends(line);
			ends(line);
			return at + 1;
		} else if (c == '\r') {
			word_ends(line);
			line->cr = true;
		} else {
			take(line, c);
		}
		if (line->bad || line->words == UINT32_MAX)
			return at + 1;
	}
	return in.len;
}
