/* The guard heals when the frame that set it is gone, and only then. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/hook.h"

static void leave_behind(uintptr_t frame)
{
	thread.own = false;
	thread.busy = 1;
	thread.layer = LAYER_NONE;
	thread.ambiguous = false;
	thread.frame = frame;
}

static uintptr_t here(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}

static void test_heal_frame_gone(void **state)
{
	(void)state;
	leave_behind(here() - 512); /* deeper than this one: left by a jump */
	assert_true(hook_heal(here(), LAYER_SOCKET));
	assert_int_equal(thread.busy, 0);
	assert_true(thread.ambiguous); /* whose work it was cut off from is not known */
}

static void test_heal_frame_still_there(void **state)
{
	(void)state;
	leave_behind(here() + 512); /* a handler in the middle of our own code */
	assert_false(hook_heal(here(), LAYER_SOCKET));
	assert_int_equal(thread.busy, 1);
	thread.busy = 0;
}

static void test_heal_never_on_our_own_thread(void **state)
{
	(void)state;
	leave_behind(here() - 512);
	thread.own = true;
	assert_false(hook_heal(here(), LAYER_SOCKET));
	thread.own = false;
	thread.busy = 0;
}

static volatile sig_atomic_t healed = -1;

static void on_signal(int number)
{
	(void)number;
	healed = hook_heal(here(), LAYER_SOCKET);
}

/* An alternate stack may lie above: its addresses say nothing about who called whom. */
static void test_heal_never_on_a_signal_stack(void **state)
{
	static char stack[65536];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	(void)state;
	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR1, &action, NULL);
	leave_behind(0);
	raise(SIGUSR1);
	assert_int_equal(healed, 0);
	assert_int_equal(thread.busy, 1);
	thread.busy = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heal_frame_gone),
		cmocka_unit_test(test_heal_frame_still_there),
		cmocka_unit_test(test_heal_never_on_our_own_thread),
		cmocka_unit_test(test_heal_never_on_a_signal_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
