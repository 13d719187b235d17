/* Opens a library by a name that only its own RUNPATH finds. */
#include <dlfcn.h>
#include <stddef.h>

void *middle_open(void);
void *middle_open(void)
{
	return dlopen("libhidden.so", RTLD_NOW);
}
