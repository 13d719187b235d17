/* What uv_queue_work promises, bare and traced: prints what happened, in the loop's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t loop;
static int rounds;

static void work(uv_work_t *req)
{
	*(int *)req->data += 1;
}

static void slow(uv_work_t *req)
{
	(void)req;
	usleep(100000);
}

static void again(uv_work_t *req, int status)
{
	printf("again %d %d loop %d\n", *(int *)req->data, status, req->loop == &loop);
	if (++rounds < 3)
		uv_queue_work(&loop, req, work, again);
}

static void freed(uv_work_t *req, int status)
{
	printf("freed %d\n", status);
	free(req);
}

static void cancelled(uv_work_t *req, int status)
{
	(void)req;
	printf("cancelled %s\n", uv_err_name(status));
}

static void counted(uv_work_t *req, int status)
{
	(void)status;
	free(req);
	rounds++;
}

int main(void)
{
	uv_work_t repeated, lone, stuck[4], never;
	int number = 0, other = 0;

	setenv("UV_THREADPOOL_SIZE", "2", 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	uv_loop_init(&loop);
	repeated.data = &number;
	uv_queue_work(&loop, &repeated, work, again);
	uv_run(&loop, UV_RUN_DEFAULT);

	lone.data = &other;
	printf("no after: %d\n", uv_queue_work(&loop, &lone, work, NULL));
	uv_run(&loop, UV_RUN_DEFAULT);
	printf("done %d\n", other);

	printf("no work: %s\n", uv_err_name(uv_queue_work(&loop, &never, NULL, again)));

	uv_queue_work(&loop, malloc(sizeof(uv_work_t)), slow, freed);
	uv_run(&loop, UV_RUN_DEFAULT);

	/* Two threads are busy: the last two wait, and can be cancelled. */
	for (int i = 0; i < 4; i++)
		uv_queue_work(&loop, &stuck[i], slow, i < 2 ? NULL : cancelled);
	usleep(20000);
	for (int i = 2; i < 4; i++)
		printf("cancel %d\n", uv_cancel((uv_req_t *)&stuck[i]));
	uv_run(&loop, UV_RUN_DEFAULT);

	/* More at once than anybody keeps track of. */
	rounds = 0;
	for (int i = 0; i < 5000; i++) {
		uv_work_t *req = malloc(sizeof(*req));
		req->data = &other;
		uv_queue_work(&loop, req, work, counted);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	printf("%d rounds, closed %d\n", rounds, uv_loop_close(&loop));
	return 0;
}
