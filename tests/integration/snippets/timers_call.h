/* timers_call.h - a call that blocks, for timers_*.c */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int back;

static void call(const char *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)back)};
	char text[256];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		exit(3);
	int len =
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", path);
	if (write(fd, text, (size_t)len) != len)
		exit(3);
	while (read(fd, text, sizeof(text)) > 0)
		continue;
	close(fd);
}
