#include "preload/id.h"

#include <string.h>

#include "preload/clock.h"
#include "preload/sys.h"

static _Atomic uint32_t process_epoch = 1; /* plain load on every machine we run on */

void id_forked(void)
{
	uint32_t next = process_epoch + 1;
	process_epoch = next ? next : 1; /* 0 means unseeded */
}

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

__attribute__((noinline, cold)) static void seed(struct id_state *state)
{
	/* Under a filter that forbids getrandom(2), ids still differ between threads and processes. */
	if (sys_getrandom(state->s, sizeof(state->s)) != (long)sizeof(state->s)) {
		uint64_t x = clock_wall(clock_now()) ^ (uint64_t)sys_getpid() << 40 ^
			     (uint64_t)sys_gettid() << 20 ^ (uint64_t)(uintptr_t)state;
		for (int i = 0; i < 4; i++)
			state->s[i] = splitmix(&x);
	}
	/* All zero would stay all zero. */
	if (!(state->s[0] | state->s[1] | state->s[2] | state->s[3]))
		state->s[0] = 1;
	state->epoch = process_epoch;
}

static inline uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

/* xoshiro256++ */
static inline uint64_t next(struct id_state *state)
{
	if (__builtin_expect(state->epoch != process_epoch, 0))
		seed(state);
	uint64_t *s = state->s;
	uint64_t result = rotate(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t id_random(struct id_state *state)
{
	return next(state);
}

void id_span(struct id_state *state, uint8_t out[8])
{
	uint64_t id;

	do
		id = next(state);
	while (!id);
	memcpy(out, &id, 8);
}

void id_trace(struct id_state *state, uint8_t out[16])
{
	uint64_t high = next(state), low;

	do
		low = next(state);
	while (!low);
	memcpy(out, &high, 8);
	memcpy(out + 8, &low, 8);
}
