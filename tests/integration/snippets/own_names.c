/* own_names: plug-ins whose functions bear names that some library has as well, though it is not here; each
 * calls its own, past the program's. As a plug-in (-DPLUGIN=n) and as the program that opens two of them. */
#include <stdio.h>
#ifdef PLUGIN
#define EXPORT __attribute__((visibility("default")))
EXPORT long event_add(long a, long b, long c, long d)
{
	return ((a * 10 + b) * 10 + c) * 10 + d + PLUGIN * 10000;
}
EXPORT long event_free(long a, long b)
{
	return a * 10 + b + PLUGIN * 10000;
}
EXPORT long event_new(long a)
{
	return a + PLUGIN * 10000;
}
EXPORT void plugin(void)
{
	printf("%ld %ld %ld\n", event_new(1), event_add(1, 2, 3, 4), event_free(5, 6));
}
#else
#include <dlfcn.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *handle = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		void (*plugin)(void) = handle ? (void (*)(void))dlsym(handle, "plugin") : NULL;
		if (!plugin) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		plugin();
	}
	return 0;
}
#endif
