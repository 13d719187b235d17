/* deep DIRECTORY PORT: opens DIRECTORY/libinner.so with RTLD_DEEPBIND and lets it ask PORT; then sees to it that a library
 * is found by its caller's RUNPATH. Exit status: 0 all as without anybody in front. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char path[500];
	if (argc < 3)
		return 1;
	snprintf(path, sizeof(path), "%s/libinner.so", argv[1]);
	void *inner = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND);
	if (!inner)
		return fprintf(stderr, "%s\n", dlerror()), 2;
	int (*get)(int, const char *) = (int (*)(int, const char *))dlsym(inner, "inner_get");
	for (int i = 1; i <= 3; i++) {
		char asked[20];
		snprintf(asked, sizeof(asked), "/deep/%d", i);
		if (get(atoi(argv[2]), asked) != i)
			return fprintf(stderr, "its own shutdown was not called\n"), 3;
	}
	snprintf(path, sizeof(path), "%s/libmiddle.so", argv[1]);
	void *middle = dlopen(path, RTLD_NOW);
	if (!middle)
		return fprintf(stderr, "%s\n", dlerror()), 4;
	void *(*open)(void) = (void *(*)(void))dlsym(middle, "middle_open");
	if (!open())
		return fprintf(stderr, "%s\n", dlerror()), 5;
	dlclose(inner);
	return dlopen("/nonexistent.so", RTLD_NOW | RTLD_DEEPBIND) || !dlerror() ? 6 : 0;
}
