/* libuv.h - which libuv a call is for, and its functions.
 *
 * No header of libuv's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them with
 * the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_LIBUV_H
#define TAGALONG_HOOKS_LIBUV_H

#include "hooks/copies.h"

#ifndef UV_H /* the vendor's: the lint includes that first */
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_work_s uv_work_t;
typedef struct uv_timer_s uv_timer_t;
typedef struct uv_handle_s uv_handle_t;
typedef void (*uv_work_cb)(uv_work_t *req);
typedef void (*uv_after_work_cb)(uv_work_t *req, int status);
typedef void (*uv_timer_cb)(uv_timer_t *handle);
typedef void (*uv_close_cb)(uv_handle_t *handle);
#endif

int uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb work, uv_after_work_cb after);
int uv_timer_init(uv_loop_t *loop, uv_timer_t *handle);
int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int uv_timer_again(uv_timer_t *handle);
int uv_timer_stop(uv_timer_t *handle);
void uv_close(uv_handle_t *handle, uv_close_cb cb);

/* clang-format off */
#define LIBUV_FUNCTIONS(NAME) \
	NAME(uv_queue_work) NAME(uv_timer_init) NAME(uv_timer_start) NAME(uv_timer_again) NAME(uv_timer_stop) \
	NAME(uv_close)
/* clang-format on */

struct libuv {
	struct copy copy;
#define LIBUV_POINTER(name) __typeof__(&name) name;
	LIBUV_FUNCTIONS(LIBUV_POINTER)
#undef LIBUV_POINTER
};

/* The caller's, or NULL. loop: what the call is for, where it may be a new one; else NULL. */
const struct libuv *libuv_of(const void *caller, const uv_loop_t *loop);

#endif
