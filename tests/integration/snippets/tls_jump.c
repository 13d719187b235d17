/* tls_jump PORT: a handler jumps out of SSL_read, which waits for a server that says nothing; then one plain exchange. */
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "net.h"

static sigjmp_buf back;

static void jump(int number)
{
	siglongjmp(back, number);
}

static void wait_for_words(SSL *ssl)
{
	struct itimerval once = {{0, 0}, {0, 100000}};
	char text[10];
	signal(SIGALRM, jump);
	setitimer(ITIMER_REAL, &once, NULL);
	SSL_read(ssl, text, sizeof(text));
	exit(95); /* it was to say nothing */
}

int main(int argc, char **argv)
{
	int plain;
	pid_t pid = net_backend(&plain);
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	if (argc < 2 || !SSL_set_fd(ssl, net_connect(atoi(argv[1]))) || SSL_connect(ssl) != 1)
		return 96;
	if (!sigsetjmp(back, 1))
		wait_for_words(ssl);
	net_call(plain, "/after");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
