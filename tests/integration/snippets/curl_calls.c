/* curl_calls BASE MAIL: what a program sees of its own calls through libcurl, line by line; the same with a tracer as without one,
 * but for the one traceparent that each request may carry, which is counted as "ours". */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char body[20000];
static size_t body_len;
static CURL *copy_in_callback, *change_in_callback;
static struct curl_slist *changed;

static size_t keep(char *text, size_t size, size_t count, void *user)
{
	CURL *easy = user;
	if (body_len + size * count < sizeof(body))
		memcpy(body + body_len, text, size * count);
	body_len += size * count;
	if (copy_in_callback == easy)
		copy_in_callback = curl_easy_duphandle(easy);
	return size * count;
}

static size_t on_header(char *text, size_t size, size_t count, void *user)
{
	if (change_in_callback == user && size * count > 9 && !strncmp(text, "Location:", 9)) {
		curl_easy_setopt(user, CURLOPT_HTTPHEADER, changed);
		change_in_callback = NULL;
	}
	return size * count;
}

static CURL *make(CURL *easy, const char *base, const char *path)
{
	char url[300];
	snprintf(url, sizeof(url), "%s%s", base, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, easy);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, easy);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 20000L);
	return easy;
}

/* The heads that the server read, as it sends them back; ours are left out and counted. */
static void tell(CURL *easy, const char *what, int code)
{
	int ours = 0;
	long status = 0, size = 0, redirects = 0;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size);
	curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
	printf("%s: %d, status %ld, %ld bytes, %ld redirects:", what, code, status, size, redirects);
	body[body_len < sizeof(body) ? body_len : sizeof(body) - 1] = '\0';
	for (char *line = strtok(body, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strncmp(line, "traceparent", 11) && !strstr(line, "cccccccc"))
			ours++;
		else
			printf(" %s |", line);
	}
	printf("\n");
	fprintf(stderr, "ours %s: %d\n", what, ours);
	body_len = 0;
}

static void perform(CURL *easy, const char *what)
{
	tell(easy, what, curl_easy_perform(easy));
}

static void list_is(const struct curl_slist *list)
{
	printf("list:");
	for (; list; list = list->next)
		printf(" %s", list->data);
	printf("\n");
}

static void together(const char *base, struct curl_slist *list)
{
	CURLM *multi = curl_multi_init();
	CURL *one = make(curl_easy_init(), base, "/multi");
	int running = 1, left;
	curl_easy_setopt(one, CURLOPT_HTTPHEADER, list);
	for (int i = 0; i < 2; i++) {
		printf("add: %d", curl_multi_add_handle(multi, one));
		printf(", again: %d, perform meanwhile: %d\n", curl_multi_add_handle(multi, one) != 0, curl_easy_perform(one));
		do
			curl_multi_perform(multi, &running);
		while (running && !curl_multi_poll(multi, NULL, 0, 1000, NULL));
		CURLMsg *message = curl_multi_info_read(multi, &left);
		tell(one, "multi", message ? (int)message->data.result : -1);
		printf("remove: %d\n", curl_multi_remove_handle(multi, one));
	}
	curl_multi_add_handle(multi, one); /* never driven, and the pool goes first */
	curl_multi_cleanup(multi);
	perform(one, "after the pool");
	curl_easy_cleanup(one);
}

static size_t mail_text(char *text, size_t size, size_t count, void *user)
{
	int *done = user;
	if ((*done)++ || size * count < 6)
		return 0;
	memcpy(text, "hello\n", 6);
	return 6;
}

static void mail(const char *base, const char *server, struct curl_slist *list)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *to = curl_slist_append(NULL, "<b@there>");
	curl_mime *mime = curl_mime_init(easy);
	int done = 0;
	curl_mime_data_cb(curl_mime_addpart(mime), 6, mail_text, NULL, NULL, &done);
	curl_easy_setopt(easy, CURLOPT_URL, server);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, "<a@here>");
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(easy, CURLOPT_MIMEPOST, mime);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 20000L);
	printf("mail: %d\n", curl_easy_perform(easy));
	curl_easy_cleanup(easy);
	curl_mime_free(mime);
	curl_slist_free_all(to);
	easy = make(curl_easy_init(), base, "/mail");
	perform(easy, "the mail");
	curl_easy_cleanup(easy);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	const char *base = argv[1];
	struct curl_slist *list = curl_slist_append(curl_slist_append(NULL, "X-A: 1"), "X-B: 2"), *own;
	changed = curl_slist_append(NULL, "X-Changed: 3");
	own = curl_slist_append(NULL, "traceparent: 00-cccccccccccccccccccccccccccccccc-cccccccccccccccc-01");
	curl_global_init(CURL_GLOBAL_ALL);
	CURL *easy = make(curl_easy_init(), base, "/plain");

	perform(easy, "no list");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
	perform(easy, "list");
	list_is(list);
	perform(make(easy, base, "/again/again/there"), "redirects");
	change_in_callback = easy;
	perform(make(easy, base, "/again/changed"), "changed on the way");
	perform(make(easy, base, "/plain"), "stays changed");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
	copy_in_callback = easy;
	perform(easy, "copied on the way");
	perform(easy, "the original");
	CURL *copy = copy_in_callback;
	copy_in_callback = NULL;
	curl_easy_cleanup(easy);
	curl_easy_setopt(copy, CURLOPT_WRITEDATA, copy);
	curl_easy_setopt(copy, CURLOPT_HEADERDATA, copy);
	perform(copy, "the copy");
	CURL *second = curl_easy_duphandle(copy);
	perform(second, "its copy");
	curl_easy_cleanup(second);
	curl_easy_reset(copy);
	perform(make(copy, base, "/reset"), "reset");
	curl_easy_setopt(copy, CURLOPT_HTTPHEADER, own);
	perform(copy, "its own");
	curl_easy_setopt(copy, CURLOPT_HTTPHEADER, NULL);
	perform(copy, "none");
	perform(make(copy, base + 7, "/guessed"), "without a scheme");
	perform(make(copy, "http://127.0.0.1:1", "/"), "refused");
	curl_easy_cleanup(copy);
	together(base, list);
	mail(base, argv[2], list);
	list_is(list);
	printf("bad handles: %d %d\n", curl_easy_setopt(NULL, CURLOPT_HTTPHEADER, list) != 0, curl_easy_perform(NULL) != 0);
	curl_slist_free_all(list);
	curl_slist_free_all(own);
	curl_slist_free_all(changed);
	curl_global_cleanup();
	return 0;
}
