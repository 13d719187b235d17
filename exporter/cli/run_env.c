/* run_env.c - what `tagalong run` puts into the environment; see run.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/cli/cli.h"
#include "exporter/cli/run.h"
#include "exporter/cli/text.h"

#define LIBRARY "libtagalong.so"

/* Everything but what RFC 3986 calls unreserved; the list's own separators are among it. */
static void encode(char *out, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:";

	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		if (strchr(plain, c)) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	*out = '\0';
}

char *run_list_set(const char *list, const char *key, const char *value)
{
	char *encoded = cli_grow(NULL, 3, strlen(value) + 1);
	char *result = cli_grow(NULL, 1, list ? strlen(list) + 1 : 1);
	size_t used = 0, key_len = strlen(key);

	encode(encoded, value);
	for (const char *item = list ? list : ""; *item;) {
		size_t len = strcspn(item, ",");
		const char *name = item + strspn(item, " \t");
		bool same =
			!strncmp(name, key, key_len) && name[key_len + strspn(name + key_len, " \t")] == '=';
		if (len && !same) {
			if (used)
				result[used++] = ',';
			memcpy(result + used, item, len);
			used += len;
		}
		item += len + (item[len] == ',');
	}
	result[used] = '\0';
	char *joined = cli_join("%s%s%s=%s", result, used ? "," : "", key, encoded);
	free(result);
	free(encoded);
	return joined;
}

/* The loader splits at blanks and colons. Another copy of ours, wherever it lies, would only be inert. */
char *run_preload(const char *library, const char *before)
{
	char *result = cli_join("%s", library);

	for (const char *item = before ? before : ""; *item;) {
		size_t len = strcspn(item, ": ");
		const char *base = memrchr(item, '/', len);
		base = base ? base + 1 : item;
		bool ours = (len == strlen(library) && !strncmp(item, library, len)) ||
			    ((size_t)(item + len - base) == strlen(LIBRARY) &&
			     !strncmp(base, LIBRARY, strlen(LIBRARY)));
		if (len && !ours) {
			char *longer = cli_join("%s:%.*s", result, (int)len, item);
			free(result);
			result = longer;
		}
		item += len + (item[len] != '\0');
	}
	return result;
}

char *run_absolute(const char *path)
{
	if (path[0] == '/')
		return cli_join("%s", path);
	char *here = getcwd(NULL, 0);
	char *whole = here ? cli_join("%s/%s", !strcmp(here, "/") ? "" : here, path) : cli_join("%s", path);
	free(here);
	return whole;
}

/* A link to it is followed: the program may change its root or its view of the files' names. */
static char *existing(char *path)
{
	char *real = realpath(path, NULL);

	free(path);
	if (real && access(real, R_OK) != 0) {
		free(real);
		real = NULL;
	}
	return real;
}

char *run_library(void)
{
	const char *named = getenv("TAGALONG_LIBRARY");
	char self[PATH_MAX];

	if (named && *named) {
		char *found = existing(cli_join("%s", named));
		if (!found) {
			int error = errno;
			char shown[256];
			text_escape_string(shown, sizeof(shown), named);
			cli_complain("TAGALONG_LIBRARY: '%s' cannot be read: %s", shown, strerror(error));
		}
		return found;
	}
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0)
		return NULL;
	self[len] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	char *found = existing(cli_join("%s/" LIBRARY, self));
	return found ? found : existing(cli_join("%s/../lib/" LIBRARY, self));
}
