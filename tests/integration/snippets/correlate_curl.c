/* correlate_curl PORT BACK: reads two requests, and only then makes a call for each, by libcurl, with the X-Request-Id that it had. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static size_t swallow(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

static void call(const char *path, const char *field, int back)
{
	char url[128];
	CURL *handle = curl_easy_init();
	struct curl_slist *list = curl_slist_append(curl_slist_append(NULL, "X-Other: 1"), field);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", back, path);
	curl_easy_setopt(handle, CURLOPT_URL, url);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, swallow);
	if (curl_easy_perform(handle) != CURLE_OK)
		exit(3);
	curl_easy_cleanup(handle);
	curl_slist_free_all(list);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd[2];
	char buf[2][4096] = {"", ""}, path[2][64], field[2][128];

	here.sin_port = htons((unsigned short)atoi(argv[argc > 2 ? 1 : 0]));
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc < 3 || bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 8))
		return 1;
	for (int i = 0; i < 2; i++)
		fd[i] = accept(listener, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		if (read(fd[i], buf[i], sizeof(buf[i]) - 1) <= 0 || sscanf(buf[i], "GET %63s", path[i]) != 1)
			return 2;
		const char *line = strcasestr(buf[i], "x-request-id:");
		if (!line || sscanf(line, "%127[^\r]", field[i]) != 1)
			return 2;
	}
	for (int i = 0; i < 2; i++)
		call(path[i], field[i], atoi(argv[2]));
	for (int i = 0; i < 2; i++) {
		if (write(fd[i], answer, sizeof(answer) - 1) < 0)
			return 4;
		close(fd[i]);
	}
	return 0;
}
