/* stack_calls HOW WHERE...: calls that are quick, slow or fail, each made by the_query() for the_report() for
 * the_request(); said is what the program itself sees of them. Also as C++. Built with -DPQ, with libpq.
 *   sqlite     a quick one, one that fails, a slow one in ":memory:"
 *   http PORT  GET /missing
 *   refused PORT
 *   thread PORT, context PORT   the same as http, on a thread's stack and on one of 16 KiB
 *   signal PORT, altstack PORT  the same in a signal handler, on the stack that was there and on one of its
 * own left PORT  asked by one thread, read by another loop PORT  asked, and read after a wait for two
 * descriptors pq         a quick one, one that fails, a slow one maps FILE N  N failing statements in SQLite,
 * and a quick one; when FILE has text: is libunwind there? */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#ifdef PQ
#include <libpq-fe.h>
#endif

/* Frames that are not folded into each other. */
#define APART __attribute__((noinline, noclone))
#define STAY __asm__ volatile("" ::: "memory")

static const char *how, *where;
static int quiet, fd = -1;
static sqlite3 *db;

static void said(const char *what, int answer)
{
	if (!quiet)
		printf("%s %d\n", what, answer);
}

static void slow_function(sqlite3_context *context, int count, sqlite3_value **values)
{
	usleep(300000);
	(void)count, (void)values;
	sqlite3_result_int(context, 1);
}

static int sqlite(const char *text)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
	if (code)
		return code;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		;
	sqlite3_finalize(statement);
	return code;
}

static int http_ask(void)
{
	struct sockaddr_in address;
	static const char request[] = "GET /missing HTTP/1.0\r\nHost: localhost\r\n\r\n";
	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_port = htons((unsigned short)atoi(where));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return close(fd), -1;
	return (int)write(fd, request, sizeof(request) - 1);
}

static int http_read(void)
{
	char piece[512];
	int status = 0;
	long n;
	while ((n = read(fd, piece, sizeof(piece) - 1)) > 0) {
		piece[n] = 0;
		if (!status)
			sscanf(piece, "HTTP/%*s %d", &status);
	}
	close(fd);
	return status;
}

static int http(void)
{
	if (http_ask() < 0)
		return -1;
	if (!strcmp(how, "loop")) {
		struct pollfd both[2] = {{fd, POLLIN, 0}, {0, 0, 0}};
		both[1].fd = -1;
		int ends[2];
		if (pipe(ends) != 0)
			return -1;
		both[1].fd = ends[0];
		both[1].events = POLLIN;
		poll(both, 2, 5000);
	}
	return http_read();
}

#ifdef PQ
static PGconn *server;
static int pq(const char *text)
{
	PGresult *result = PQexec(server, text);
	int status = PQresultStatus(result);
	PQclear(result);
	return status;
}
#endif

#ifdef __cplusplus
#define KEEP extern "C"
#else
#define KEEP extern
#endif
KEEP int the_query(const char *text);
KEEP int the_report(const char *text);
KEEP int the_request(const char *text);

APART int the_query(const char *text)
{
	int answer = -2;
	if (!strcmp(how, "sqlite") || !strcmp(how, "maps"))
		answer = sqlite(text);
#ifdef PQ
	else if (!strcmp(how, "pq"))
		answer = pq(text);
#endif
	else
		answer = http();
	STAY;
	return answer;
}

APART int the_report(const char *text)
{
	char padding[2000]; /* a frame that is not small */
	snprintf(padding, sizeof(padding), "%s", text);
	int answer = the_query(padding);
	STAY;
	return answer;
}

APART int the_request(const char *text)
{
	int answer = the_report(text);
	STAY;
	return answer;
}

static void *on_thread(void *arg)
{
	(void)arg;
	said("thread", the_request(""));
	return NULL;
}

static ucontext_t here, there;
static void on_context(void)
{
	int answer = the_request("");
	quiet |= answer << 8;
}

static void in_context(void)
{
	static char stack[16384];
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, on_context, 0);
	swapcontext(&here, &there);
	int answer = quiet >> 8;
	quiet &= 1;
	said("context", answer);
}

static void on_signal(int number)
{
	(void)number;
	said(how, the_request(""));
}

static void in_handler(int flags)
{
	static char stack[65536];
	stack_t other;
	struct sigaction action;
	memset(&other, 0, sizeof(other));
	other.ss_sp = stack;
	other.ss_size = sizeof(stack);
	sigaltstack(&other, NULL);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = flags;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

static void *reads(void *arg)
{
	(void)arg;
	said("left", http_read());
	return NULL;
}

static int mapped(const char *name)
{
	char line[512];
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, name) != NULL;
	if (maps)
		fclose(maps);
	return found;
}

static void wait_for(const char *file)
{
	struct stat info;
	for (int i = 0; i < 1000 && (stat(file, &info) != 0 || info.st_size == 0); i++)
		usleep(10000);
}

static void in_sqlite(void)
{
	sqlite3_open(":memory:", &db);
	sqlite3_create_function(db, "slow", 0, SQLITE_UTF8, NULL, slow_function, NULL, NULL);
	said("quick", the_request("CREATE TABLE t(a UNIQUE)"));
	said("quick", the_request("INSERT INTO t VALUES(1)"));
	said("failed", the_request("INSERT INTO t VALUES(1)"));
	said("slow", the_request("SELECT slow()"));
}

static void in_maps(const char *file, int failures)
{
	sqlite3_open(":memory:", &db);
	the_request("CREATE TABLE t(a UNIQUE)");
	the_request("INSERT INTO t VALUES(1)");
	while (failures-- > 0)
		the_request("INSERT INTO t VALUES(1)");
	wait_for(file);
	printf("libunwind %s, its functions %s, the host's unwinder %s\n",
	       mapped("libunwind") ? "there" : "not there",
	       dlsym(RTLD_DEFAULT, "_Ux86_64_step") || dlsym(RTLD_DEFAULT, "unw_backtrace") ? "seen"
											    : "not seen",
	       dlsym(RTLD_DEFAULT, "_Unwind_Backtrace") ? "there" : "not there");
}

static void run(pthread_t *thread)
{
	if (!strcmp(how, "sqlite"))
		in_sqlite();
	else if (!strcmp(how, "thread"))
		pthread_create(thread, NULL, on_thread, NULL), pthread_join(*thread, NULL);
	else if (!strcmp(how, "context"))
		in_context();
	else if (!strcmp(how, "signal") || !strcmp(how, "altstack"))
		in_handler(strcmp(how, "signal") ? SA_ONSTACK : 0);
	else if (!strcmp(how, "left"))
		http_ask(), pthread_create(thread, NULL, reads, NULL), pthread_join(*thread, NULL);
	else
		said(how, the_request(""));
}

/* Under a sanitizer: what some libraries of libpq's do at the end hangs behind its runtime, bare as well. */
static int leave(int code)
{
	fflush(stdout);
	if (getenv("SAN_RUNTIME"))
		_exit(code);
	return code;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	how = argc > 1 ? argv[1] : "";
	where = argc > 2 ? argv[2] : "";
#ifdef PQ
	if (!strcmp(how, "pq")) {
		server = PQconnectdb("");
		said("quick", the_request("select 1"));
		said("failed", the_request("select 1/0"));
		said("slow", the_request(argc > 2 ? where : "select pg_sleep(0.3)"));
		PQfinish(server);
		return leave(0);
	}
#endif
	if (!strcmp(how, "maps"))
		in_maps(where, atoi(argv[3]));
	else
		run(&thread);
	return 0;
}
