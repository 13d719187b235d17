/* postgres_request.c - what the client sends, made into calls. Which messages belong together: postgres.h. */
#include "hooks/protocols/postgres_comment.h"

/* --- the startup message: pairs of names and values, then one NUL --------------------------------------- */

enum { PARAM_NAME, PARAM_DATABASE, PARAM_USER, PARAM_OTHER };

static void param_named(struct postgres_requests *asks)
{
	struct bytes name = {(const char *)asks->frame.head, asks->frame.got};

	asks->param = PARAM_OTHER;
	if (bytes_equal(name, BYTES("database")))
		asks->param = PARAM_DATABASE;
	else if (bytes_equal(name, BYTES("user")) && !asks->named)
		asks->param = PARAM_USER; /* who says nothing else gets the database of that name */
	if (asks->param == PARAM_OTHER)
		return;
	asks->db_len = 0;
	asks->named = asks->param == PARAM_DATABASE;
}

static void param_byte(struct postgres_requests *asks, char c)
{
	if (asks->param == PARAM_NAME) {
		if (c == '\0')
			param_named(asks);
		else if (asks->frame.got < sizeof(asks->frame.head))
			asks->frame.head[asks->frame.got++] = (uint8_t)c;
		else
			asks->frame.got = UINT8_MAX; /* too long for any that we want */
	} else if (c == '\0') {
		asks->param = PARAM_NAME;
		asks->frame.got = 0;
	} else if (asks->param != PARAM_OTHER && asks->db_len < sizeof(asks->db)) {
		asks->db[asks->db_len++] = c;
	}
}

void postgres_startup_param(struct postgres_run *run, struct bytes piece)
{
	for (size_t i = 0; i < piece.len; i++)
		param_byte(postgres_asks(run), piece.ptr[i]);
}

/* --- calls of the extended protocol ----------------------------------------------------------------------
 */

/* The messages of the last group, if more may come to it: it is neither executed nor ended by an error. */
static uint8_t group(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);

	if (asks->group && postgres_answers(run)->exchange >= asks->exchange)
		asks->group = ITEM_NONE; /* what was left to say of it was said with the answer */
	return asks->group;
}

static void close_group(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	uint8_t item = group(run);

	if (!item)
		return;
	asks->group = ITEM_NONE;
	if (item & ITEM_PARSE && !(item & ITEM_BIND))
		postgres_text_keep_unnamed(run);
	postgres_text_tell(run, asks->exchange, item);
}

static void begin(struct postgres_run *run, enum postgres_item item)
{
	struct postgres_requests *asks = postgres_asks(run);

	postgres_tell(run, EVENT_REQUEST_BEGIN, ++asks->exchange);
	postgres_push(run, item);
	asks->group = item & ITEM_GROUP;
}

static void join(struct postgres_run *run, enum postgres_item item)
{
	struct postgres_requests *asks = postgres_asks(run);

	asks->group |= (uint8_t)item;
	*postgres_item(run, asks->asked - 1) = asks->group;
}

static bool same_statement(struct postgres_run *run)
{
	const struct postgres_stash *kept = postgres_stash(run);
	return !kept || (postgres_asks(run)->parsed && postgres_name_equal(&kept->parsed, &kept->statement));
}

static bool same_portal(struct postgres_run *run)
{
	const struct postgres_stash *kept = postgres_stash(run);
	return !kept || postgres_name_equal(&kept->bound, &kept->portal);
}

/* Both names are known. */
static void bind_named(struct postgres_run *run)
{
	uint8_t last = group(run);

	if (last & ITEM_PARSE && !(last & ITEM_BIND) && same_statement(run)) {
		join(run, ITEM_BIND);
	} else {
		close_group(run);
		begin(run, ITEM_BIND);
		postgres_text_of_statement(run);
	}
	postgres_text_bound(run);
}

static void describe_named(struct postgres_run *run)
{
	uint8_t last = group(run);
	bool statement = postgres_asks(run)->kind == 'S';
	bool joins =
		statement ? last & ITEM_PARSE && same_statement(run) : last & ITEM_BIND && same_portal(run);

	if (joins && !(last & ITEM_DESCRIBE_TOO)) {
		join(run, last & ITEM_DESCRIBE ? ITEM_DESCRIBE_TOO : ITEM_DESCRIBE);
		return;
	}
	close_group(run);
	begin(run, ITEM_DESCRIBE);
	if (statement)
		postgres_text_of_statement(run);
	else
		postgres_text_of_portal(run);
}

static void execute_named(struct postgres_run *run)
{
	if (group(run) & ITEM_BIND && same_portal(run)) {
		join(run, ITEM_EXECUTE);
		return;
	}
	close_group(run);
	begin(run, ITEM_EXECUTE);
	postgres_text_of_portal(run);
}

/* --- messages --------------------------------------------------------------------------------------------
 */

/* The first field of a body; how the rest follows: next_step(). */
static enum postgres_step first_step(uint8_t type)
{
	switch (type) {
	case 'Q':
		return STEP_TEXT;
	case 'P':
		return STEP_STATEMENT;
	case 'B':
	case 'E':
		return STEP_PORTAL;
	case 'D':
	case 'C':
		return STEP_KIND;
	case 'F':
		return STEP_OID;
	default:
		return STEP_PASS;
	}
}

void postgres_request_begin(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	uint8_t type = asks->frame.type;

	asks->step = (uint8_t)first_step(type);
	switch (type) {
	case 'Q':
	case 'F':
	case 'P':
		close_group(run);
		begin(run, type == 'Q' ? ITEM_QUERY : type == 'F' ? ITEM_FUNCTION : ITEM_PARSE);
		asks->frame.got = 0;
		postgres_text_begin(run);
		break;
	case 'B':
	case 'D':
	case 'E':
	case 'C':
		postgres_text_begin(run);
		break;
	case 'd': /* a COPY's data */
	case 'c':
	case 'f':
	case 'p': /* a password, or whatever stands for one */
		break;
	case 'H':
	case 'S':
	case 'X':
		if (asks->frame.left)
			postgres_opaque(run, OPAQUE_MALFORMED);
		else
			close_group(run);
		break;
	default: /* who knows whether it has an answer */
		postgres_opaque(run, OPAQUE_MALFORMED);
	}
}

static void named(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	uint8_t type = asks->frame.type, step = asks->step;

	asks->step = STEP_PASS;
	if (type == 'P') {
		asks->step = STEP_TEXT;
	} else if (type == 'B' && step == STEP_PORTAL) {
		asks->step = STEP_STATEMENT;
	} else if (type == 'B') {
		bind_named(run);
	} else if (type == 'E') {
		execute_named(run);
	} else if (type == 'D') {
		describe_named(run);
	} else if (type == 'C') {
		close_group(run);
		postgres_text_closed(run);
		postgres_push(run, ITEM_CLOSE);
	}
}

static void texted(struct postgres_run *run, size_t nul)
{
	struct postgres_requests *asks = postgres_asks(run);

	asks->step = STEP_PASS;
	postgres_text_end(run);
	if (asks->frame.type == 'P') {
		postgres_text_parsed(run);
		return;
	}
	asks->source = SOURCE_STASH;
	postgres_comment_offer(run, nul);
}

/* One field's part of the piece; returns how much that is. */
static size_t string(struct postgres_run *run, struct bytes piece)
{
	struct postgres_requests *asks = postgres_asks(run);
	struct postgres_stash *kept = postgres_stash(run);
	size_t end = bytes_find(piece, '\0');
	struct bytes part = bytes_until(piece, end);

	if (asks->step == STEP_TEXT)
		postgres_text_add(run, part);
	else if (kept)
		postgres_text_name(run, asks->step == STEP_PORTAL ? &kept->portal : &kept->statement, part);
	if (end == piece.len)
		return end;
	if (asks->step == STEP_TEXT)
		texted(run, (size_t)(piece.ptr + end - run->in.ptr));
	else
		named(run);
	return end + 1;
}

void postgres_request_body(struct postgres_run *run, struct bytes piece)
{
	struct postgres_requests *asks = postgres_asks(run);

	for (size_t at = 0; at < piece.len && !run->state->opaque;) {
		uint8_t c = (uint8_t)piece.ptr[at];
		if (asks->step == STEP_PASS)
			break;
		if (asks->step == STEP_KIND) {
			asks->kind = c;
			asks->step = c == 'S' ? STEP_STATEMENT : STEP_PORTAL;
			if (c != 'S' && c != 'P')
				postgres_opaque(run, OPAQUE_MALFORMED);
			at++;
		} else if (asks->step == STEP_OID) {
			asks->frame.head[asks->frame.got++] = c;
			if (asks->frame.got == 4)
				asks->step = STEP_PASS;
			at++;
		} else {
			at += string(run, bytes_from(piece, at));
		}
	}
}

void postgres_request_end(struct postgres_run *run)
{
	struct postgres_requests *asks = postgres_asks(run);
	uint8_t type = asks->frame.type;

	if (asks->step != STEP_PASS) { /* a field has no end */
		postgres_opaque(run, OPAQUE_MALFORMED);
		return;
	}
	if (type == 'Q' || type == 'F') {
		postgres_text_tell(run, asks->exchange, type == 'Q' ? ITEM_QUERY : ITEM_FUNCTION);
	} else if (type == 'E') {
		asks->group = ITEM_NONE;
		postgres_text_tell(run, asks->exchange, ITEM_EXECUTE);
	} else if (type == 'S') {
		postgres_push(run, ITEM_SYNC);
	} else if (type == 'c' || type == 'f') {
		postgres_push(run, ITEM_COPY_END);
	}
}
