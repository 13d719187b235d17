/* text.c - see text.h. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "exporter/cli/text.h"

/* Decodes one character; returns its length, or 0 where the bytes are no UTF-8. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = at[0] < 0x80   ? 1
		     : at[0] < 0xC2 ? 0
		     : at[0] < 0xE0 ? 2
		     : at[0] < 0xF0 ? 3
		     : at[0] < 0xF5 ? 4
				    : 0;

	if (len == 0 || len > left)
		return 0;
	*code = len == 1 ? at[0] : at[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (at[i] & 0x3F);
	}
	if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF))
		return 0;
	return len;
}

/* Characters that change how their neighbours are shown, or that show nothing. */
static bool treacherous(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x61C ||
	       (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
	       (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code >= 0xE0000 && code <= 0xE0FFF);
}

/* One character as it will be shown; returns the bytes taken from the input. */
static size_t show(const unsigned char *at, size_t left, char shown[12])
{
	uint32_t code;
	size_t len = decode(at, left, &code);

	if (len == 0)
		snprintf(shown, 12, "\\x%02x", at[0]);
	else if (code == '\n' || code == '\t' || code == '\r')
		snprintf(shown, 12, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
	else if (treacherous(code))
		snprintf(shown, 12, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
	else {
		memcpy(shown, at, len);
		shown[len] = '\0';
	}
	return len ? len : 1;
}

size_t text_escape(char *out, size_t cap, const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0, room_for_dots = 0; /* the last place where "..." would fit */

	for (size_t i = 0; i < len;) {
		char shown[12];
		i += show(at + i, len - i, shown);
		size_t add = strlen(shown);
		if (used + 3 < cap)
			room_for_dots = used;
		if (used + add >= cap) {
			memcpy(out + room_for_dots, "...", 4);
			return room_for_dots + 3;
		}
		memcpy(out + used, shown, add);
		used += add;
	}
	out[used] = '\0';
	return used;
}

size_t text_escape_string(char *out, size_t cap, const char *text)
{
	return text_escape(out, cap, text, strlen(text));
}

/* wcwidth() knows wide and combining characters when main() found a UTF-8 locale, else says -1. */
static size_t columns(uint32_t code)
{
	int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);
	return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *text)
{
	size_t width = 0, len = strlen(text);

	for (size_t i = 0; i < len;) {
		uint32_t code = '?';
		size_t step = decode((const unsigned char *)text + i, len - i, &code);
		width += columns(code);
		i += step ? step : 1;
	}
	return width;
}

void text_fit(FILE *out, const char *text, size_t width, const char *ellipsis)
{
	size_t whole = text_width(text), dots = text_width(ellipsis), used = 0, len = strlen(text);
	size_t room = whole <= width ? width : width > dots ? width - dots : 0;

	for (size_t i = 0; i < len;) {
		uint32_t code = '?';
		size_t step = decode((const unsigned char *)text + i, len - i, &code);
		step = step ? step : 1;
		if (used + columns(code) > room)
			break;
		fwrite(text + i, 1, step, out);
		used += columns(code);
		i += step;
	}
	if (whole > width && width > dots) {
		fputs(ellipsis, out);
		used += dots;
	}
	for (; used < width; used++)
		fputc(' ', out);
}
