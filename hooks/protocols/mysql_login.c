/* mysql_login.c - who talks to whom in MySQL's protocol: greeting, the client's answer, another user. Nothing
 * of a password or a user's name is kept. */
#include "hooks/protocols/mysql.h"

enum greeting_field { GREETING_PROTOCOL, GREETING_VERSION, GREETING_REST };

enum login_field {
	LOGIN_FIXED, /* capabilities, packet size, character set, filler */
	LOGIN_USER,
	LOGIN_AUTH_LENGTH,
	LOGIN_AUTH,
	LOGIN_AUTH_TEXT, /* ended by NUL */
	LOGIN_SPACE,
	LOGIN_REST,
};

/* --- the server ------------------------------------------------------------------------------------------
 */

static void version_byte(struct mysql_state *state, uint8_t byte)
{
	static const char name[] = "MariaDB";

	if (byte == 0) {
		state->field = GREETING_REST;
		state->columns = 0; /* counts what follows */
		return;
	}
	if (state->mariadb)
		return;
	if (byte != (uint8_t)name[state->matched])
		state->matched = 0;
	if (byte == (uint8_t)name[state->matched])
		state->matched++;
	state->mariadb = state->matched == sizeof(name) - 1;
}

/* Behind the version: thread id (4), salt (8), NUL, capabilities (2), character set (1), status (2),
 * capabilities (2), length (1), filler (6), MariaDB's capabilities (4). */
static void rest_byte(struct mysql_state *state, uint8_t byte)
{
	uint32_t at = state->columns++;

	if (at == 13 || at == 14)
		state->server |= (uint32_t)byte << (8 * (at - 13));
	else if (at == 16 || at == 17)
		state->status |= (uint16_t)(byte << (8 * (at - 16)));
	else if (at == 18 || at == 19)
		state->server |= (uint32_t)byte << (8 * (at - 16));
	else if (at == 27 && !(state->server & CAPABLE_LONG_PASSWORD))
		state->server_more = byte;
}

void mysql_greeting_byte(struct mysql_run *run, uint8_t byte)
{
	struct mysql_state *state = run->state;

	if (state->field == GREETING_PROTOCOL) {
		state->field = GREETING_VERSION;
		state->server = state->server_more = 0;
	} else if (state->field == GREETING_VERSION) {
		version_byte(state, byte);
	} else {
		rest_byte(state, byte);
	}
}

/* --- the client ------------------------------------------------------------------------------------------
 */

void mysql_login_begin(struct mysql_state *state)
{
	state->login = LOGIN_FIXED;
	state->client = state->client_more = 0;
	state->wanted_len = 0;
	state->spacing = 0;
	state->number[HALF_REQUESTS].begun = false;
}

void mysql_change_user_begin(struct mysql_state *state)
{
	state->login = LOGIN_USER;
	state->wanted_len = 0;
	state->spacing = state->begun;
	state->number[HALF_REQUESTS].begun = false;
}

/* GBK, SJIS, Big5, CP932, GB18030: the second byte of a character may look like a backslash. */
static bool treacherous(uint8_t collation)
{
	static const uint8_t list[] = {1, 13, 28, 84, 87, 88, 95, 96, 248, 249, 250};
	return memchr(list, collation, sizeof(list)) != NULL;
}

static void fixed_byte(struct mysql_state *state, uint32_t at, uint8_t byte)
{
	if (at < 4)
		state->client |= (uint32_t)byte << (8 * at);
	else if (at == 8)
		state->multibyte = treacherous(byte);
	else if (at == 28 && !(state->client & CAPABLE_LONG_PASSWORD))
		state->client_more = byte;
	if (at == 31)
		state->login = LOGIN_USER;
}

static void auth_begins(struct mysql_state *state)
{
	bool counted = state->client & (CAPABLE_LENENC_AUTH | CAPABLE_SECURE_CONNECTION);
	state->login = counted ? LOGIN_AUTH_LENGTH : LOGIN_AUTH_TEXT;
}

static void auth_ended(struct mysql_state *state)
{
	bool named = state->spacing || (state->client & CAPABLE_CONNECT_WITH_DB);
	state->login = named ? LOGIN_SPACE : LOGIN_REST;
}

static void auth_length_byte(struct mysql_state *state, uint8_t byte)
{
	/* COM_CHANGE_USER has one byte always. */
	if (state->spacing || !(state->client & CAPABLE_LENENC_AUTH))
		state->number[HALF_REQUESTS].value = byte;
	else if (!mysql_number(&state->number[HALF_REQUESTS], byte))
		return;
	state->login = LOGIN_AUTH;
	if (state->number[HALF_REQUESTS].value == 0)
		auth_ended(state);
}

static void space_byte(struct mysql_state *state, uint8_t byte)
{
	if (byte == 0)
		state->login = LOGIN_REST;
	else if (state->wanted_len < MYSQL_SPACE_MAX)
		state->wanted[state->wanted_len++] = (char)byte;
	else
		state->wanted_len = UINT8_MAX; /* too long: see mysql_space_use() */
}

void mysql_login_byte(struct mysql_run *run, uint32_t at, uint8_t byte)
{
	struct mysql_state *state = run->state;

	switch ((enum login_field)state->login) {
	case LOGIN_FIXED:
		fixed_byte(state, at, byte);
		break;
	case LOGIN_USER:
		if (byte == 0)
			auth_begins(state);
		break;
	case LOGIN_AUTH_LENGTH:
		auth_length_byte(state, byte);
		break;
	case LOGIN_AUTH:
		if (--state->number[HALF_REQUESTS].value == 0)
			auth_ended(state);
		break;
	case LOGIN_AUTH_TEXT:
		if (byte == 0)
			auth_ended(state);
		break;
	case LOGIN_SPACE:
		space_byte(state, byte);
		break;
	case LOGIN_REST:
		break;
	}
}

void mysql_login_sent(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	if (state->spacing) /* COM_CHANGE_USER */
		return;
	state->told = true;
	if (!(state->client & CAPABLE_PROTOCOL_41))
		mysql_opaque(run, OPAQUE_MALFORMED); /* older than 2004 */
	else if (!state->session && run->half->length == 32 && (state->client & CAPABLE_SSL))
		mysql_opaque(run, OPAQUE_HANDED_OVER);
}

void mysql_logged_in(struct mysql_run *run)
{
	struct mysql_state *state = run->state;

	state->phase = PHASE_IDLE;
	if (mysql_can(state, CAPABLE_COMPRESS))
		state->half[0].zipped = state->half[1].zipped = true;
	else if (mysql_can(state, CAPABLE_ZSTD))
		mysql_opaque(run, OPAQUE_HANDED_OVER);
}
