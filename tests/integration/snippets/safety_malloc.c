/* safety_malloc: counts what the main thread asks of the heap, and says it at the end. */
#include <stdio.h>
#include <stddef.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static __thread long asked __attribute__((tls_model("initial-exec")));

void *malloc(size_t size)
{
	asked++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	asked++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	asked++;
	return __libc_realloc(old, size);
}

__attribute__((destructor)) static void say(void)
{
	char text[40];
	int length = snprintf(text, sizeof(text), "asked %ld\n", asked);
	if (write(2, text, (size_t)length) != length)
		_exit(99);
}
