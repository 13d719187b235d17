/* pq_loop.c PORT CONNINFO CONNECTIONS pipeline|wait - an event loop that answers HTTP requests from PostgreSQL.
 *
 * GET /7 asks twice, one after the other, for a column named q7_1 and q7_2. pipeline: on whatever connection is next, in
 * pipeline mode; what was asked in a turn of the loop is flushed when the turn is over, and on each connection many
 * requests' queries are under way. wait: one query a connection; requests wait for one that is free. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#define MOST 1024
#define DEEP 4096

struct request {
	int fd, id, step;
};

static struct database {
	PGconn *conn;
	int asked, answered; /* of queue: whose answers come, in order */
	struct request queue[DEEP];
	int dirty;
} databases[16];
static int databases_count, piped, next_database;
static struct request waiting[DEEP];
static int waits_from, waits_to;
static char input[MOST][2048];
static int input_len[MOST];

static void ask(struct database *db, struct request request)
{
	char text[128];
	snprintf(text, sizeof(text), "SELECT $1::int AS q%d_%d", request.id, request.step);
	if (!PQsendQueryParams(db->conn, text, 1, NULL, (const char *const[]){"1"}, NULL, NULL, 0))
		fprintf(stderr, "not sent: %s", PQerrorMessage(db->conn)), exit(1);
	db->queue[db->asked++ % DEEP] = request;
	db->dirty = 1;
}

static void ask_somewhere(struct request request)
{
	if (piped) {
		ask(&databases[next_database++ % databases_count], request);
		return;
	}
	for (int i = 0; i < databases_count; i++)
		if (databases[i].asked == databases[i].answered) {
			ask(&databases[i], request);
			return;
		}
	waiting[waits_to++ % DEEP] = request;
}

static void answer(struct request request, const char *column)
{
	char text[256], body[64], expected[64];
	snprintf(expected, sizeof(expected), "q%d_%d", request.id, request.step);
	if (strcmp(expected, column) != 0)
		fprintf(stderr, "%s for %s\n", column, expected), exit(1);
	if (request.step == 1) {
		request.step = 2;
		ask_somewhere(request);
		return;
	}
	int len = snprintf(body, sizeof(body), "%d\n", request.id);
	len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
	if (write(request.fd, text, (size_t)len) != len)
		perror("write");
}

static void results(struct database *db)
{
	PGresult *result;
	if (!PQconsumeInput(db->conn))
		fprintf(stderr, "lost: %s", PQerrorMessage(db->conn)), exit(1);
	while (db->answered != db->asked && !PQisBusy(db->conn)) {
		result = PQgetResult(db->conn);
		if (!result) {
			if (!piped && waits_from != waits_to && db->answered == db->asked)
				ask(db, waiting[waits_from++ % DEEP]);
			continue;
		}
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fprintf(stderr, "failed: %s", PQresultErrorMessage(result)), exit(1);
		struct request request = db->queue[db->answered % DEEP];
		if (!piped) /* the end of this one's answers, so that the connection is free */
			while (!PQisBusy(db->conn) && PQgetResult(db->conn))
				;
		db->answered++;
		char column[64];
		snprintf(column, sizeof(column), "%s", PQfname(result, 0));
		PQclear(result);
		answer(request, column);
		if (!piped && waits_from != waits_to && db->answered == db->asked)
			ask(db, waiting[waits_from++ % DEEP]);
	}
}

static void requests(int fd, int epoll)
{
	ssize_t got = read(fd, input[fd] + input_len[fd], sizeof(input[fd]) - (size_t)input_len[fd] - 1);
	if (got <= 0) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
		return;
	}
	input_len[fd] += (int)got;
	input[fd][input_len[fd]] = 0;
	if (!strstr(input[fd], "\r\n\r\n"))
		return;
	input_len[fd] = 0;
	ask_somewhere((struct request){fd, atoi(input[fd] + 5), 1});
}

static void add(int epoll, int fd, uint64_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
	int epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	(void)argc;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	databases_count = atoi(argv[3]);
	piped = strcmp(argv[4], "pipeline") == 0;
	for (int i = 0; i < databases_count; i++) {
		databases[i].conn = PQconnectdb(argv[2]);
		if (PQstatus(databases[i].conn) != CONNECTION_OK || PQsetnonblocking(databases[i].conn, 1))
			return 1;
		if (piped && !PQenterPipelineMode(databases[i].conn))
			return 1;
		add(epoll, PQsocket(databases[i].conn), (uint64_t)i << 32);
	}
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 512))
		return 1;
	fcntl(listener, F_SETFL, O_NONBLOCK);
	add(epoll, listener, (uint64_t)listener | 1u << 30);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < count; i++) {
			uint64_t what = events[i].data.u64;
			int fd = (int)(what & 0xffff);
			if (what & 1u << 30) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					add(epoll, fd, (uint64_t)fd);
			} else if (fd) {
				requests(fd, epoll);
			} else {
				results(&databases[what >> 32]);
			}
		}
		for (int i = 0; i < databases_count; i++)
			if (databases[i].dirty) {
				databases[i].dirty = 0;
				if (piped)
					PQsendFlushRequest(databases[i].conn);
				if (PQflush(databases[i].conn) < 0)
					return 1;
			}
	}
}
