/* curl_shared MODE PORT UPSTREAM [CERTIFICATE]: an HTTP server that asks UPSTREAM/call/X for each request for /X, by libcurl, on
 * at most four connections that all requests share. How, is MODE's:
 *   perform  a thread for each client; one more drives a multi handle for all of them with curl_multi_perform
 *   socket   the same with curl_multi_socket_action and epoll
 *   loop     one thread: clients and calls in one epoll loop
 * Prints "ready". */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

struct call {
	CURL *easy;
	struct call *next;
	int client;
	int done;
	pthread_mutex_t lock;
	pthread_cond_t over;
	struct curl_slist *fields;
};

static CURLM *multi;
static const char *upstream, *certificate;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything of curl's */
static int epoll = -1, wake = -1, timer_ms = -1, looping;

static size_t drop(char *text, size_t size, size_t count, void *user)
{
	(void)text, (void)user;
	return size * count;
}

static CURL *make(struct call *call, const char *path)
{
	char url[500];
	CURL *easy = curl_easy_init();
	snprintf(url, sizeof(url), "%s/call%s", upstream, path);
	call->fields = curl_slist_append(NULL, "X-Own: 1");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->fields);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	if (certificate) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, certificate);
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	}
	return easy;
}

static void answer(int client)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	if (write(client, text, sizeof(text) - 1) < 0)
		perror("write");
}

/* --- what is over, on the thread that drives curl ------------------------------------------------------------- */

static void collect(void)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(multi, &left))) {
		struct call *call;
		CURL *easy = message->easy_handle;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
		curl_multi_remove_handle(multi, easy);
		curl_easy_cleanup(easy);
		curl_slist_free_all(call->fields);
		if (looping) {
			answer(call->client);
			free(call);
			continue;
		}
		pthread_mutex_lock(&call->lock);
		call->done = 1;
		pthread_cond_signal(&call->over);
		pthread_mutex_unlock(&call->lock);
	}
}

static void *drive_perform(void *unused)
{
	int running;
	for (;;) {
		pthread_mutex_lock(&lock);
		curl_multi_perform(multi, &running);
		collect();
		pthread_mutex_unlock(&lock);
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	return unused;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct epoll_event event = {.data.fd = fd};
	(void)easy, (void)user;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL), 0;
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	curl_multi_assign(multi, fd, &epoll);
	return 0;
}

static int on_timer(CURLM *of, long ms, void *user)
{
	(void)of, (void)user;
	timer_ms = (int)ms;
	return 0;
}

static void act(int fd, unsigned events)
{
	int running;
	int bits = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	curl_multi_socket_action(multi, fd, bits, &running);
}

static void *drive_socket(void *unused)
{
	struct epoll_event events[16];
	for (;;) {
		int count = epoll_wait(epoll, events, 16, timer_ms < 0 || timer_ms > 1000 ? 1000 : timer_ms);
		pthread_mutex_lock(&lock);
		for (int i = 0; i < count; i++) {
			eventfd_t value;
			if (events[i].data.fd == wake)
				eventfd_read(wake, &value);
			else
				act(events[i].data.fd, events[i].events);
		}
		if (timer_ms >= 0 && (timer_ms == 0 || count == 0))
			act(CURL_SOCKET_TIMEOUT, 0);
		collect();
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

/* --- clients -------------------------------------------------------------------------------------------------- */

static int ask(int client, char *path)
{
	char text[4000];
	size_t got = 0;
	while (got < sizeof(text) - 1) {
		ssize_t n = read(client, text + got, sizeof(text) - 1 - got);
		if (n <= 0)
			return 0;
		got += (size_t)n;
		text[got] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return sscanf(text, "GET %200s", path) == 1;
	}
	return 0;
}

static void *serve(void *arg)
{
	int client = (int)(long)arg;
	char path[201];
	while (ask(client, path)) {
		struct call call = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
		pthread_mutex_lock(&lock);
		call.easy = make(&call, path);
		curl_multi_add_handle(multi, call.easy);
		pthread_mutex_unlock(&lock);
		if (wake >= 0)
			eventfd_write(wake, 1);
		else
			curl_multi_wakeup(multi);
		pthread_mutex_lock(&call.lock);
		while (!call.done)
			pthread_cond_wait(&call.over, &call.lock);
		pthread_mutex_unlock(&call.lock);
		answer(client);
	}
	close(client);
	return NULL;
}

static void serve_in_loop(int listener)
{
	struct epoll_event events[16], event = {.events = EPOLLIN, .data.fd = listener};
	static char is_client[10000];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(epoll, events, 16, timer_ms < 0 || timer_ms > 1000 ? 1000 : timer_ms);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			char path[201];
			if (fd == listener) {
				event.data.fd = accept(listener, NULL, NULL);
				is_client[event.data.fd] = 1;
				epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
			} else if (!is_client[fd]) {
				act(fd, events[i].events);
			} else if (ask(fd, path)) {
				struct call *call = calloc(1, sizeof(*call));
				call->client = fd;
				call->easy = make(call, path);
				curl_multi_add_handle(multi, call->easy);
			} else {
				is_client[fd] = 0;
				close(fd);
			}
		}
		if (timer_ms >= 0 && (timer_ms == 0 || count == 0))
			act(CURL_SOCKET_TIMEOUT, 0);
		collect();
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pthread_t thread;
	if (argc < 4)
		return 1;
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	upstream = argv[3];
	certificate = argv[4];
	looping = strcmp(argv[1], "loop") == 0;
	curl_global_init(CURL_GLOBAL_ALL);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 4L);
	if (strcmp(argv[1], "perform") != 0) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	}
	if (strcmp(argv[1], "socket") == 0) {
		struct epoll_event event = {.events = EPOLLIN};
		event.data.fd = wake = eventfd(0, EFD_NONBLOCK);
		epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event);
	}
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 128))
		return perror("bind"), 1;
	puts("ready");
	fflush(stdout);
	if (looping)
		serve_in_loop(listener);
	pthread_create(&thread, NULL, epoll < 0 ? drive_perform : drive_socket, NULL);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client >= 0 && pthread_create(&thread, NULL, serve, (void *)(long)client) == 0)
			pthread_detach(thread);
	}
}
