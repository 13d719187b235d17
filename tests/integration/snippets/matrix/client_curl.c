/* client_curl URL...: by whichever build of libcurl this is linked with. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	CURL *easy = curl_easy_init();
	for (int i = 1; i < argc; i++) {
		curl_easy_setopt(easy, CURLOPT_URL, argv[i]);
		curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)(getenv("HTTP2") ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
		CURLcode code = curl_easy_perform(easy);
		if (code != CURLE_OK)
			return fprintf(stderr, "%s: %s\n", argv[i], curl_easy_strerror(code)), 1;
	}
	printf("%s\n", curl_version());
	curl_easy_cleanup(easy);
	return 0;
}
