/* text.h - text from files and programs, made fit to be shown.
 *
 * Whatever came from outside passes through text_escape() before it reaches a terminal: control
 * characters, bidirectional overrides and broken UTF-8 become visible escapes, so that a span's name can
 * neither move the cursor nor reorder the line. */
#ifndef TAGALONG_CLI_TEXT_H
#define TAGALONG_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes at most cap - 1 bytes and a NUL; what does not fit is cut at a character and "..." is put there.
 * cap must be at least 16. Returns the length written. */
size_t text_escape(char *out, size_t cap, const char *text, size_t len);
size_t text_escape_string(char *out, size_t cap, const char *text);

/* Columns on a terminal. The text is valid UTF-8, as text_escape() leaves it. */
size_t text_width(const char *text);

/* Prints exactly `width` columns: padded with blanks, or cut with an ellipsis. */
void text_fit(FILE *out, const char *text, size_t width, const char *ellipsis);

#endif
