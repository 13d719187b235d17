/* mysql_many.c - PORT COUNT ROUNDS [zip]: so many connections at once, each with a prepared statement of its
 * own, which is executed on one after the other, and again. Prints how many answers were right. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int ask(MYSQL_STMT *stmt, int number)
{
	int answer = -1;
	MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_LONG, .buffer = &number};
	MYSQL_BIND out = {.buffer_type = MYSQL_TYPE_LONG, .buffer = &answer};

	if (mysql_stmt_bind_param(stmt, &in) || mysql_stmt_execute(stmt) ||
	    mysql_stmt_bind_result(stmt, &out))
		return 0;
	while (mysql_stmt_fetch(stmt) == 0)
		;
	mysql_stmt_free_result(stmt);
	return answer == number;
}

/* In KiB, to the error output. */
static void tell_peak(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	fprintf(stderr, "%ld\n", usage.ru_maxrss);
}

int main(int argc, char **argv)
{
	int count = atoi(argv[2]), rounds = atoi(argv[3]), right = 0;
	MYSQL_STMT **all = calloc((size_t)count, sizeof(*all));
	char text[64];

	for (int i = 0; i < count; i++) {
		MYSQL *own = mysql_init(NULL);
		my_bool no = 0;
		mysql_optionsv(own, MYSQL_OPT_SSL_ENFORCE, &no);
		if (!mysql_real_connect(own, "127.0.0.1", "root", NULL, "mysql", (unsigned)atoi(argv[1]),
					NULL, argc > 4 ? CLIENT_COMPRESS : 0))
			return fprintf(stderr, "%s\n", mysql_error(own)), 1;
		all[i] = mysql_stmt_init(own);
		mysql_stmt_prepare(all[i], text,
				   (unsigned long)snprintf(text, sizeof(text), "select ? as q%d", i));
	}
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < count; i++)
			right += ask(all[i], i);
	printf("%d\n", right);
	tell_peak();
	return 0;
}
