/* mysql_result.c - packets of MySQL's that say how it went: OK, error, end of rows. Read byte by byte. */
#include "hooks/protocols/mysql.h"

/* Of an OK packet, which with CLIENT_DEPRECATE_EOF ends rows as well. */
enum ok_field {
	OK_HEADER,
	OK_AFFECTED,
	OK_INSERTED,
	OK_STATUS,
	OK_STATUS_HIGH,
	OK_WARNINGS,
	OK_WARNINGS_HIGH,
	OK_INFO_LENGTH,
	OK_INFO,
	OK_CHANGES_LENGTH,
	OK_CHANGE, /* its type */
	OK_CHANGE_LENGTH,
	OK_CHANGE_TEXT,
	OK_SPACE_LENGTH,
	OK_SPACE,
	OK_REST,
};

#define CHANGE_SCHEMA 1

void mysql_result_begin(struct mysql_state *state)
{
	state->field = OK_HEADER;
	state->number[HALF_RESPONSES].begun = false;
	if (state->packet == PACKET_OK || state->packet == PACKET_END)
		state->status = 0;
	if (state->packet == PACKET_ERROR)
		state->error = 0;
}

static void space_byte(struct mysql_state *state, uint8_t byte)
{
	if (state->space_len < MYSQL_SPACE_MAX)
		state->space[state->space_len++] = (char)byte;
}

/* A change of the session's state: only of the schema is any use. */
static void change_byte(struct mysql_state *state, uint8_t byte)
{
	struct mysql_number *number = &state->number[HALF_RESPONSES];

	switch ((enum ok_field)state->field) {
	case OK_CHANGE:
		state->entry = byte;
		state->field = OK_CHANGE_LENGTH;
		break;
	case OK_CHANGE_LENGTH:
		if (!mysql_number(number, byte))
			break;
		state->columns = number->value > UINT32_MAX ? UINT32_MAX : (uint32_t)number->value;
		state->field = state->columns == 0             ? OK_CHANGE
			       : state->entry == CHANGE_SCHEMA ? OK_SPACE_LENGTH
							       : OK_CHANGE_TEXT;
		break;
	case OK_SPACE_LENGTH:
		state->columns--;
		if (mysql_number(number, byte)) {
			state->space_len = 0;
			state->field = number->value > MYSQL_SPACE_MAX ? OK_CHANGE_TEXT : OK_SPACE;
		}
		if (state->columns == 0)
			state->field = OK_CHANGE;
		break;
	case OK_SPACE:
		space_byte(state, byte);
		/* fall through */
	default:
		if (--state->columns == 0)
			state->field = OK_CHANGE;
		break;
	}
}

static void info_byte(struct mysql_state *state, uint8_t byte)
{
	struct mysql_number *number = &state->number[HALF_RESPONSES];

	if (state->field == OK_INFO) {
		if (--number->value == 0)
			state->field = OK_CHANGES_LENGTH;
	} else if (mysql_number(number, byte)) {
		if (state->field == OK_CHANGES_LENGTH)
			state->field = OK_CHANGE;
		else
			state->field = number->value ? OK_INFO : OK_CHANGES_LENGTH;
	}
}

static void ok_byte(struct mysql_state *state, uint8_t byte)
{
	switch ((enum ok_field)state->field) {
	case OK_HEADER:
	case OK_WARNINGS:
		state->field++;
		break;
	case OK_STATUS:
		state->status = byte;
		state->field++;
		break;
	case OK_STATUS_HIGH:
		state->status |= (uint16_t)(byte << 8);
		state->field++;
		break;
	case OK_AFFECTED:
	case OK_INSERTED:
		if (mysql_number(&state->number[HALF_RESPONSES], byte))
			state->field++;
		break;
	case OK_WARNINGS_HIGH:
		state->field = mysql_can(state, CAPABLE_SESSION_TRACK) ? OK_INFO_LENGTH : OK_REST;
		break;
	case OK_INFO_LENGTH:
	case OK_INFO:
	case OK_CHANGES_LENGTH:
		info_byte(state, byte);
		break;
	case OK_REST:
		break;
	default:
		change_byte(state, byte);
		break;
	}
}

void mysql_result_byte(struct mysql_state *state, uint32_t at, uint8_t byte)
{
	if (state->packet == PACKET_OK)
		ok_byte(state, byte);
	else if (state->packet == PACKET_ERROR && (at == 1 || at == 2))
		state->error |= (uint16_t)(byte << (8 * (at - 1)));
	else if (state->packet == PACKET_END && (at == 3 || at == 4))
		state->status |= (uint16_t)(byte << (8 * (at - 3)));
}

void mysql_space_granted(struct mysql_state *state, uint32_t exchange)
{
	if (exchange != state->spacing || (exchange == 0 && state->wanted_len == 0))
		return;
	state->space_len = state->wanted_len <= MYSQL_SPACE_MAX ? state->wanted_len : 0;
	memcpy(state->space, state->wanted, state->space_len);
	state->wanted_len = 0;
}
