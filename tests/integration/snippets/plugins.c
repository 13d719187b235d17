/* plugins FILE OBJECT...: runs plugin_main(2, {_, FILE}) of each object, on a FILE that is new. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		void *handle = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		int (*run)(int, char **) = NULL;
		if (handle)
			*(void **)&run = dlsym(handle, "plugin_main");
		if (!run) {
			printf("%s\n", dlerror());
			return 1;
		}
		unlink(argv[1]);
		run(2, argv);
		fflush(stdout);
	}
	return 0;
}
