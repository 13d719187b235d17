/* A server whose requests go on in other threads, contexts and processes. Each request's path says how; what it
 * asks its backend for ends in the same path, so that parent and child can be told from their names alone. */
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "net.h"

static int backend_port, listener, server_port;

struct job {
	int fd;
	char path[64];
	ucontext_t context, *back;
	char *stack;
	int done, step;
};

static void take(struct job *job)
{
	char text[2000];
	job->fd = accept(listener, NULL, NULL);
	if (job->fd < 0 || !net_read(job->fd, text, sizeof(text)) || sscanf(text, "GET %63s", job->path) != 1)
		exit(95);
}

static void *call_in_thread(void *arg)
{
	net_call(backend_port, ((struct job *)arg)->path);
	return arg;
}

/* --- thread: made by the request, calls for it */
static void serve_thread(struct job *job)
{
	pthread_t thread;
	void *result;
	pthread_create(&thread, NULL, call_in_thread, job);
	pthread_join(thread, &result);
	if (result != job)
		exit(96);
	net_answer(job->fd);
}

/* --- pool: the worker is born in one request and serves whom it is told to */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *queued;
static int worked;

static void *work(void *arg)
{
	(void)arg;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (!queued)
			pthread_cond_wait(&changed, &lock);
		struct job *job = queued;
		queued = NULL;
		pthread_mutex_unlock(&lock);
		net_call(backend_port, job->path);
		pthread_mutex_lock(&lock);
		worked++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void serve_pool(struct job *job)
{
	static int born;
	pthread_t thread;
	if (!born++) {
		pthread_create(&thread, NULL, work, NULL);
		usleep(50000); /* it waits for work before there is any */
	}
	pthread_mutex_lock(&lock);
	int before = worked;
	queued = job;
	pthread_cond_broadcast(&changed);
	while (worked == before)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	net_answer(job->fd);
}

/* --- fork: the child calls */
static void serve_fork(struct job *job)
{
	pid_t pid = fork();
	if (pid == 0) {
		net_call(backend_port, job->path);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	net_answer(job->fd);
}

/* --- contexts: several requests, each on a stack of its own, that take turns before and after they call */
static void run_context(int low, int high)
{
	struct job *job = (struct job *)(uintptr_t)((uint64_t)(unsigned)low | (uint64_t)(unsigned)high << 32);
	take(job);
	job->step++;
	swapcontext(&job->context, job->back);
	net_call(backend_port, job->path);
	job->step++;
	swapcontext(&job->context, job->back);
	net_answer(job->fd);
	job->done = 1;
}

static void serve_contexts(int count)
{
	static struct job jobs[8];
	ucontext_t scheduler;
	int left = count;

	for (int i = 0; i < count; i++) {
		jobs[i].stack = malloc(65536);
		jobs[i].back = &scheduler;
		getcontext(&jobs[i].context);
		jobs[i].context.uc_stack.ss_sp = jobs[i].stack;
		jobs[i].context.uc_stack.ss_size = 65536;
		jobs[i].context.uc_link = &scheduler;
		uint64_t at = (uintptr_t)&jobs[i];
		makecontext(&jobs[i].context, (void (*)(void))run_context, 2, (int)(unsigned)at, (int)(unsigned)(at >> 32));
	}
	while (left) {
		for (int i = 0; i < count; i++) {
			if (jobs[i].done)
				continue;
			swapcontext(&scheduler, &jobs[i].context);
			left -= jobs[i].done;
			/* The scheduler works for nobody. */
			if (jobs[i].step == 1)
				net_call(backend_port, "/nobody");
		}
	}
	for (int i = 0; i < count; i++) {
		close(jobs[i].fd);
		free(jobs[i].stack);
	}
}

static void ask_all(const char *const *paths)
{
	char text[1000];
	for (int i = 0; paths[i]; i++) {
		int fd = net_connect(server_port);
		net_ask(fd, paths[i]);
		if (!net_read(fd, text, sizeof(text)))
			exit(97);
		close(fd);
	}
}

static void *ask_one(void *arg)
{
	const char *const paths[] = {arg, NULL};
	ask_all(paths);
	return NULL;
}

static void serve(void (*how)(struct job *), int count)
{
	for (int i = 0; i < count; i++) {
		struct job job = {0};
		take(&job);
		how(&job);
		close(job.fd);
	}
}

int main(void)
{
	static const char *const plain[] = {"/thread/1", "/thread/2", "/pool/1", "/pool/2", "/fork/1", NULL};
	static char *const contexts[] = {"/context/1", "/context/2", "/context/3"};
	pid_t backend = net_backend(&backend_port), client;
	listener = net_listen(&server_port);

	/* The client is a process of its own, so that it has nothing to do with the server's threads. */
	client = fork();
	if (client == 0) {
		pthread_t threads[3];
		ask_all(plain);
		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, ask_one, contexts[i]);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		exit(0);
	}
	serve(serve_thread, 2);
	serve(serve_pool, 2);
	serve(serve_fork, 1);
	serve_contexts(3);
	waitpid(client, NULL, 0);
	kill(backend, SIGTERM);
	waitpid(backend, NULL, 0);
	return 0;
}
