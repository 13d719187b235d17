/* bench_waits - what a hook costs that only listens: waits for events and for other threads, and new threads.
 *
 * usage: bench_waits WHAT ROUNDS [serving]: calls WHAT ROUNDS times, in a thread that works for a request
 *with "serving", and prints nanoseconds per call. Run it bare and preloaded; under callgrind count
 *instructions instead. epoll     epoll_wait, one event ready, no time-out timeout   the same with a time-out
 *	look      the same with a time-out of 0, nothing ready
 *	cond      pthread_cond_wait and its signal, two threads in turns
 *	signal    pthread_cond_signal, nobody waits
 *	timed     pthread_cond_timedwait until a moment that is over
 *	create    pthread_create and pthread_join */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static long turn, last;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A request is read and not answered: this thread works for it from here on. */
static bool serve(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	char buf[256];
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		return false;
	int client = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	if (syscall(SYS_connect, client, &address, sizeof(address)))
		return false;
	int server = accept(listener, NULL, NULL);
	return server >= 0 && syscall(SYS_write, client, request, sizeof(request) - 1) > 0 &&
	       recv(server, buf, sizeof(buf), 0) > 0;
}

static bool wait_for_events(long rounds, bool ready, int timeout)
{
	struct epoll_event event = {.events = EPOLLIN}, events[16];
	int epoll = epoll_create1(EPOLL_CLOEXEC), counter = eventfd(ready, EFD_CLOEXEC);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event))
		return false;
	for (long i = 0; i < rounds; i++)
		if (epoll_wait(epoll, events, 16, timeout) != ready)
			return false;
	return true;
}

/* Waits for every second turn, and gives the next one to the other thread. */
static void *take_turns(void *argument)
{
	long own = (long)(intptr_t)argument;
	pthread_mutex_lock(&mutex);
	for (;;) {
		while (turn < last && turn % 2 != own)
			pthread_cond_wait(&condition[own], &mutex);
		if (turn >= last)
			break;
		turn++;
		pthread_cond_signal(&condition[1 - own]);
	}
	pthread_cond_signal(&condition[1 - own]);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static bool wait_for_other(long rounds)
{
	pthread_t other;
	last = rounds;
	if (pthread_create(&other, NULL, take_turns, (void *)1))
		return false;
	take_turns(NULL);
	return pthread_join(other, NULL) == 0;
}

static bool wake_nobody(long rounds)
{
	pthread_mutex_lock(&mutex);
	for (long i = 0; i < rounds; i++)
		pthread_cond_signal(&condition[0]);
	return pthread_mutex_unlock(&mutex) == 0;
}

static bool wait_until(long rounds)
{
	struct timespec over = {-1, 0}; /* no system call; of either clock */
	pthread_mutex_lock(&mutex);
	for (long i = 0; i < rounds; i++)
		pthread_cond_timedwait(&condition[0], &mutex, &over);
	return pthread_mutex_unlock(&mutex) == 0;
}

static void *nothing(void *argument)
{
	return argument;
}

static bool make_threads(long rounds)
{
	pthread_t made;
	for (long i = 0; i < rounds; i++)
		if (pthread_create(&made, NULL, nothing, NULL) || pthread_join(made, NULL))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "epoll";
	long rounds = argc > 2 ? atol(argv[2]) : 100000;
	if (argc > 3 && !serve())
		return 1;
	double start = now();
	bool good = strcmp(what, "epoll") == 0     ? wait_for_events(rounds, true, -1)
		    : strcmp(what, "timeout") == 0 ? wait_for_events(rounds, true, 1000)
		    : strcmp(what, "look") == 0    ? wait_for_events(rounds, false, 0)
		    : strcmp(what, "cond") == 0    ? wait_for_other(rounds)
		    : strcmp(what, "signal") == 0  ? wake_nobody(rounds)
		    : strcmp(what, "timed") == 0   ? wait_until(rounds)
						   : make_threads(rounds);
	if (!good)
		return 1;
	printf("%.2f\n", (now() - start) / (double)(rounds ? rounds : 1));
	return 0;
}
