/* stack.c - the stack of a call, copied; see stack.h. */
#include "preload/stack.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "preload/counters.h"
#include "preload/object.h"
#include "preload/queue.h"
#include "preload/readable.h"
#include "preload/sys.h"
#include "preload/thread.h"

/* --- which stacks are known ------------------------------------------------------------------------------
 */

#define FIRST_MOST ((uintptr_t)64 << 20) /* below the first stack the kernel keeps more than this free */
#define LEAST_STACK ((size_t)16384)      /* libc makes no thread with less */
#define LEAST_REST ((size_t)8192)        /* of a thread's block: libc's own part of it, generously */

#define CONTEXTS 1024

static uintptr_t first_end;             /* of the stack that the program was started on */
static uintptr_t first_self;            /* its thread: whose own data lie elsewhere */
static _Atomic size_t least = SIZE_MAX; /* smallest stack that a thread was made with */
static struct {
	_Atomic uintptr_t from, to;
} contexts[CONTEXTS];
static _Atomic uint32_t contexts_made;

void stack_thread_made(const pthread_attr_t *attributes)
{
	pthread_attr_t plain;
	size_t size = LEAST_STACK;

	if (attributes) {
		pthread_attr_getstacksize(attributes, &size);
	} else if (pthread_attr_init(&plain) == 0) {
		pthread_attr_getstacksize(&plain, &size);
		pthread_attr_destroy(&plain);
	}
	size_t was = atomic_load_explicit(&least, memory_order_relaxed);
	while (size < was && !atomic_compare_exchange_weak(&least, &was, size))
		;
}

/* A place for each address: a stack that is used again has its own. */
void stack_context_made(const void *base, size_t size)
{
	uintptr_t from = (uintptr_t)base;
	uint32_t most = atomic_load_explicit(&contexts_made, memory_order_relaxed), at = 0;

	most = most < CONTEXTS ? most : CONTEXTS;
	while (at < most && atomic_load_explicit(&contexts[at].from, memory_order_relaxed) != from)
		at++;
	if (at == most)
		at = atomic_fetch_add_explicit(&contexts_made, 1, memory_order_relaxed) % CONTEXTS;
	atomic_store(&contexts[at].to, 0);
	atomic_store(&contexts[at].from, from);
	atomic_store(&contexts[at].to, from + size);
}

static uintptr_t context_end(uintptr_t sp)
{
	uint32_t most = atomic_load(&contexts_made);
	for (uint32_t i = 0; i < most && i < CONTEXTS; i++) {
		uintptr_t to = atomic_load(&contexts[i].to), from = atomic_load(&contexts[i].from);
		if (sp >= from && sp < to && to == atomic_load(&contexts[i].to))
			return to;
	}
	return 0;
}

static inline uintptr_t thread_pointer(void)
{
#if defined(__x86_64__)
	uintptr_t self;
	__asm__("movq %%fs:0, %0" : "=r"(self));
	return self;
#else
	return 0;
#endif
}

void stack_init(void)
{
	first_end = getauxval(AT_RANDOM); /* lies above all frames */
	first_self = thread_pointer();
}

/* libc lays a thread's own data at the upper end of its stack: what is less far below it than any stack is
 * large is in there. */
static uintptr_t thread_end(uintptr_t sp)
{
	uintptr_t self = thread_pointer();
	size_t size = atomic_load_explicit(&least, memory_order_relaxed);

	if (size == SIZE_MAX || size < LEAST_STACK)
		size = LEAST_STACK;
	/* The first thread's data lie in a mapping by themselves: a context's stack may be right below it. */
	if (self == first_self)
		return 0;
	return sp < self && self - sp < size - LEAST_REST ? self : 0;
}

uintptr_t stack_end(uintptr_t sp)
{
	if (sp < first_end && first_end - sp < FIRST_MOST)
		return first_end;
	/* A context's may lie in the midst of a thread's own; or a thread's be where a context's was. */
	uintptr_t context = context_end(sp), own = thread_end(sp);
	return context && (!own || context < own) ? context : own;
}

/* --- the copy --------------------------------------------------------------------------------------------
 */

/* Not memcpy(): that is AddressSanitizer's in a program built with it, which takes the gaps between the
 * host's variables for an error. */
__attribute__((no_sanitize("address", "thread"))) void stack_copy(char *to, const void *from, size_t len)
{
#if defined(__x86_64__)
	size_t words = len / 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
	(void)to, (void)from, (void)len;
#endif
}

struct put {
	const struct span *span;
	const struct bytes *parts;
	size_t count;
	size_t length; /* of the parts */
};

static char *put_parts(const struct put *put, size_t tail)
{
	size_t padded = (put->length + 7) & ~(size_t)7;
	char *place = queue_begin(padded + tail), *to = place;

	if (!place)
		return NULL;
	for (size_t i = 0; i < put->count; i++) {
		if (put->parts[i].len)
			memcpy(to, put->parts[i].ptr, put->parts[i].len);
		to += put->parts[i].len;
	}
	uint64_t length = put->length;
	memcpy(place + padded + tail - STACK_TRAILER, &length, sizeof(length));
	return place;
}

#if defined(__x86_64__)
/* The registers are those of this very frame, which stays as long as they are needed: the unwinder begins
 * here, and what is ours is left out afterwards. */
static __attribute__((noinline)) bool put_sample(const struct put *put, size_t most)
{
	struct stack_sample sample = {.attributes = put->span->attrs.count};

	__asm__ volatile("leaq 0f(%%rip), %%rax\n0:\n\t"
			 "movq %%rax, 0(%0)\n\t"
			 "movq %%rsp, 8(%0)\n\t"
			 "movq %%rbp, 16(%0)\n\t"
			 "movq %%rbx, 24(%0)\n\t"
			 "movq %%r12, 32(%0)\n\t"
			 "movq %%r13, 40(%0)\n\t"
			 "movq %%r14, 48(%0)\n\t"
			 "movq %%r15, 56(%0)\n\t"
			 :
			 : "r"(&sample)
			 : "rax", "memory");
	uintptr_t end = stack_end(sample.sp);
	size_t len = end ? (end - sample.sp) & ~(uintptr_t)7 : 0;
	sample.bytes = (uint32_t)(len < most ? len : most);
	/* Asked before the record is begun: one that a longjmp out of a handler left unfinished would stop
	 * the queue. */
	if (!len || !readable((const void *)sample.sp, sample.bytes)) { // NOLINT(performance-no-int-to-ptr)
		count_one(stacks_unknown);
		return queue_put(RECORD_SPAN, put->parts, put->count);
	}
	size_t tail = sizeof(sample) + sample.bytes + STACK_TRAILER;
	if (tail < STACK_ROOM)
		tail = STACK_ROOM;
	char *place = put_parts(put, tail);
	if (!place)
		return false;
	size_t padded = (put->length + 7) & ~(size_t)7;
	char *to = place + padded;
	sample.unloads = object_unloads();
	memcpy(to, &sample, sizeof(sample));
	stack_copy(to + sizeof(sample), (const void *)sample.sp,
		   sample.bytes); // NOLINT(performance-no-int-to-ptr)
	atomic_fetch_add(&stacks_waiting, 1);
	queue_commit(place, RECORD_STACK, padded + tail);
	return true;
}
#else
static bool put_sample(const struct put *put, size_t most)
{
	(void)most;
	count_one(stacks_unknown);
	return queue_put(RECORD_SPAN, put->parts, put->count);
}
#endif

static bool is_calls(const struct span *span)
{
	return span->reader == &thread && span->waits == thread.waits;
}

#define QUEUED_MOST ((size_t)4 << 20)

/* Spans must not have to give way to stacks: these have half of the queue, and of a large one no more than
 * that much. */
static bool has_room(size_t need)
{
	size_t most = queue_capacity() / 2;
	return queue_used() + need <= (most < QUEUED_MOST ? most : QUEUED_MOST);
}

__attribute__((noinline)) bool stack_put(const struct span *span, uint64_t end, const struct bytes *parts,
					 size_t count)
{
	struct put put = {.span = span, .parts = parts, .count = count};
	size_t most = queue_capacity() / 16;

	most = most < STACK_MOST ? most : STACK_MOST;
	for (size_t i = 0; i < count; i++)
		put.length += parts[i].len;
	bool slow = end > span->start && end - span->start >= config.stack_after;
	if (config.stack_after != UINT64_MAX && span->reader && (slow || span->failed)) {
		if (!is_calls(span))
			count_one(stacks_elsewhere);
		else if (!has_room(put.length + most + STACK_ROOM))
			count_one(stacks_no_room);
		else
			return put_sample(&put, most);
	}
	return queue_put(RECORD_SPAN, parts, count);
}

/* --- objects that go -------------------------------------------------------------------------------------
 */

#define SETTLE_MS 50

_Atomic uint32_t stacks_waiting;
void (*stack_settler)(int timeout_ms);
static _Atomic bool hopeless; /* the exporter is held up */

void stack_read(void)
{
	if (atomic_fetch_sub(&stacks_waiting, 1) != 1)
		return;
	atomic_store(&hopeless, false);
	sys_futex_wake(&stacks_waiting, INT32_MAX);
}

void stack_settle(void)
{
	if (!stack_settler || atomic_load(&hopeless))
		return;
	stack_settler(SETTLE_MS);
	if (atomic_load(&stacks_waiting))
		atomic_store(&hopeless, true);
}

void stack_forked(void)
{
	atomic_store(&stacks_waiting, 0);
	atomic_store(&hopeless, false);
}

void stack_never(struct span *span)
{
	span->reader = NULL;
}
