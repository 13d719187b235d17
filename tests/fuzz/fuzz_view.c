/* `tagalong view` on any bytes: lines, spans, trees and the text that comes out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/cli/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char shown[1 << 20];
	struct view_spans all = {0};
	/* So many complaints that it says no more: they would only slow the search down. */
	struct view_source source = {.name = "fuzz", .bad = 1000};
	struct view_options options = {.width = 100, .color = size & 1, .ascii = size & 2};

	for (size_t from = 0; from < size;) {
		const uint8_t *end = memchr(data + from, '\n', size - from);
		size_t len = end ? (size_t)(end - data) - from : size - from;
		view_line(&all, &source, (const char *)data + from, len);
		from += len + 1;
	}
	view_build(&all);
	shown[0] = '\0'; /* where nothing is printed, nothing is written */
	FILE *out = fmemopen(shown, sizeof(shown), "w");
	view_print(&all, &options, out);
	fclose(out);
	/* Nothing but our own colours may control the terminal. */
	for (size_t i = 0; shown[i] && i < sizeof(shown); i++)
		if ((unsigned char)shown[i] < ' ' && shown[i] != '\n' &&
		    !(options.color && shown[i] == '\033'))
			abort();
	view_free(&all);
	return 0;
}
