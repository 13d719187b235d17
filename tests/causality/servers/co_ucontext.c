/* co_ucontext - coroutines by swapcontext.
 * rig: calls=3 */
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
	swapcontext(&scheduler, &co->context);
}

static void co_switch_out(struct co *co)
{
	swapcontext(&co->context, &scheduler);
}

int main(int argc, char **argv)
{
	co_main(argc, argv);
}
