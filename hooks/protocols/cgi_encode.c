/* cgi_encode.c - header lines as CGI variables. */
#include "hooks/protocols/cgi.h"

bool cgi_next_line(struct bytes *lines, char *name, size_t *name_len, struct bytes *value)
{
	size_t end = bytes_find(*lines, '\n'), colon = bytes_find(*lines, ':');

	if (lines->len == 0 || end == lines->len || end < colon + 3 || colon > CGI_NAME_MAX - 5)
		return false;
	memcpy(name, "HTTP_", 5);
	for (size_t i = 0; i < colon; i++) {
		char c = lines->ptr[i];
		name[5 + i] = c == '-' ? '_' : (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
	}
	*name_len = colon + 5;
	*value = (struct bytes){lines->ptr + colon + 2, end - 1 - (colon + 2)};
	*lines = bytes_from(*lines, end + 1);
	return true;
}
