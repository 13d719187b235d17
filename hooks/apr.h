/* apr.h - which libaprutil a call is for, and its functions.
 *
 * No header of APR's is needed: the few prototypes stand here, and tests/lint/vendor.sh compares them with
 * the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_APR_H
#define TAGALONG_HOOKS_APR_H

#include "hooks/copies.h"

#ifndef APU_THREAD_POOL_H /* the vendor's: the lint includes that first */
typedef struct apr_thread_pool apr_thread_pool_t;
typedef struct apr_thread_t apr_thread_t;
typedef void *(*apr_thread_start_t)(apr_thread_t *thread, void *param);
#endif

int apr_thread_pool_push(apr_thread_pool_t *me, apr_thread_start_t func, void *param, unsigned char priority,
			 void *owner);
int apr_thread_pool_top(apr_thread_pool_t *me, apr_thread_start_t func, void *param, unsigned char priority,
			void *owner);

/* clang-format off */
#define APR_FUNCTIONS(NAME) NAME(apr_thread_pool_push) NAME(apr_thread_pool_top)
/* clang-format on */

struct apr {
	struct copy copy;
#define APR_POINTER(name) __typeof__(&name) name;
	APR_FUNCTIONS(APR_POINTER)
#undef APR_POINTER
};

#endif
