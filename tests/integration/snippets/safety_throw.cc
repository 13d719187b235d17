// safety_throw: exceptions and forced unwinding with the library's frames in between: a thread and a context that carry an
// activity are entered through it.
#include <cstdio>
#include <pthread.h>
#include <stdexcept>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

static int unwound;
struct Guard {
	~Guard() { unwound++; }
};

static int ends[2];

static void ask()
{
	static const char request[] = "GET /throw HTTP/1.1\r\nHost: x\r\n\r\n";
	char text[2000];
	if (write(ends[0], request, sizeof(request) - 1) < 0 || read(ends[1], text, sizeof(text)) <= 0)
		_exit(1);
}
static void answer()
{
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char text[2000];
	if (write(ends[1], response, sizeof(response) - 1) < 0 || read(ends[0], text, sizeof(text)) <= 0)
		_exit(1);
}

static void *throws(void *)
{
	Guard guard;
	try {
		Guard inner;
		char byte;
		write(ends[0], &byte, 0);
		throw std::runtime_error("caught here");
	} catch (const std::exception &) {
		unwound += 10;
	}
	pthread_exit(nullptr);
}
static void *waits(void *)
{
	Guard guard;
	char byte;
	for (;;)
		recv(ends[0], &byte, 1, 0);
	return nullptr;
}

static ucontext_t main_context, other;
static void in_context()
{
	Guard guard;
	try {
		throw 7;
	} catch (int) {
		unwound += 100;
	}
}

int main()
{
	static char stack[65536];
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	ask(); // from here on there is an activity to carry
	pthread_t thread;
	pthread_create(&thread, nullptr, throws, nullptr);
	pthread_join(thread, nullptr);
	pthread_create(&thread, nullptr, waits, nullptr);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, nullptr);
	getcontext(&other);
	other.uc_stack.ss_sp = stack;
	other.uc_stack.ss_size = sizeof(stack);
	other.uc_link = &main_context;
	makecontext(&other, in_context, 0);
	swapcontext(&main_context, &other);
	answer();
	std::printf("unwound %d\n", unwound);
	return 0;
}
