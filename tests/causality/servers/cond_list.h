/* cond_list.h - a list of parsed requests under a mutex, with a condition: what the servers neg_cond_* do
 * wrong with. */
#include "pool.h"

struct list {
	struct task *first, **end;
	pthread_mutex_t *mutex;
	pthread_cond_t *filled;
};

static void append(struct list *list, struct task *task)
{
	task->next = NULL;
	if (!list->first)
		list->end = &list->first;
	*list->end = task;
	list->end = &task->next;
}

static UNUSED struct task *first_of(struct list *list)
{
	struct task *task = list->first;
	if (task)
		list->first = task->next;
	return task;
}

static UNUSED void put_in(struct list *list, struct task *task)
{
	pthread_mutex_lock(list->mutex);
	append(list, task);
	pthread_cond_signal(list->filled);
	pthread_mutex_unlock(list->mutex);
}

static UNUSED struct task *get_from(struct list *list)
{
	pthread_mutex_lock(list->mutex);
	while (!list->first)
		pthread_cond_wait(list->filled, list->mutex);
	struct task *task = first_of(list);
	pthread_mutex_unlock(list->mutex);
	return task;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static UNUSED struct list list = {.mutex = &mutex, .filled = &filled};
