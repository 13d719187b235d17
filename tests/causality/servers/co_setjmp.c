/* co_setjmp - coroutines entered once by makecontext, and then by _setjmp and _longjmp only.
 * rig: calls=3 */
#undef _FORTIFY_SOURCE
#include "coroutine.h"

static void co_make(struct co *co)
{
	getcontext(&co->context);
	co->context.uc_stack.ss_sp = co->stack;
	co->context.uc_stack.ss_size = STACK;
	co->context.uc_link = NULL;
	makecontext(&co->context, co_serve, 0);
}

static void co_switch_in(struct co *co)
{
	if (_setjmp(scheduler_jump))
		return;
	if (co->started)
		_longjmp(co->jump, 1);
	co->started = true;
	setcontext(&co->context);
}

static void co_switch_out(struct co *co)
{
	if (!_setjmp(co->jump))
		_longjmp(scheduler_jump, 1);
}

int main(int argc, char **argv)
{
	co_main(argc, argv);
}
