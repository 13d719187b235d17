/* curl.h - which libcurl a call is for, and its functions.
 *
 * No header of curl's is needed: the few prototypes and numbers stand here, and tests/lint/vendor.sh compares
 * them with the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_CURL_H
#define TAGALONG_HOOKS_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those of curl's that we use; the numbers are its ABI. */
enum {
	OPTION_HTTPHEADER = 10023,
	OPTION_DEFAULT_PROTOCOL = 10238,
	INFO_EFFECTIVE_URL = 0x100001,
	INFO_REQUEST_SIZE = 0x20000c,
	INFO_REDIRECT_COUNT = 0x200014,
	INFO_TOTAL_TIME_T = 0x600032, /* and the other times: curl_off_t, microseconds */
	INFO_NAMELOOKUP_TIME_T = 0x600033,
	INFO_CONNECT_TIME_T = 0x600034,
	INFO_REDIRECT_TIME_T = 0x600037,
	INFO_APPCONNECT_TIME_T = 0x600038,
	INFO_EFFECTIVE_METHOD = 0x10003a,
	MESSAGE_DONE = 1,
};

#ifndef CURLINC_CURL_H /* the vendor's own guard: the lint includes that first */
typedef void CURL;
typedef void CURLM;
typedef int CURLcode; /* enums there */
typedef int CURLMcode;
typedef int CURLoption;
typedef int CURLINFO;
struct curl_slist {
	char *data;
	struct curl_slist *next;
};
typedef struct CURLMsg CURLMsg;
struct CURLMsg {
	int msg;
	CURL *easy_handle;
	union {
		void *whatever;
		CURLcode result;
	} data;
};
#else
_Static_assert(OPTION_HTTPHEADER == (int)CURLOPT_HTTPHEADER, "curl");
_Static_assert(OPTION_DEFAULT_PROTOCOL == (int)CURLOPT_DEFAULT_PROTOCOL, "curl");
_Static_assert(INFO_EFFECTIVE_URL == (int)CURLINFO_EFFECTIVE_URL, "curl");
_Static_assert(INFO_REQUEST_SIZE == (int)CURLINFO_REQUEST_SIZE, "curl");
_Static_assert(INFO_REDIRECT_COUNT == (int)CURLINFO_REDIRECT_COUNT, "curl");
_Static_assert(INFO_TOTAL_TIME_T == (int)CURLINFO_TOTAL_TIME_T, "curl");
_Static_assert(INFO_NAMELOOKUP_TIME_T == (int)CURLINFO_NAMELOOKUP_TIME_T, "curl");
_Static_assert(INFO_CONNECT_TIME_T == (int)CURLINFO_CONNECT_TIME_T, "curl");
_Static_assert(INFO_REDIRECT_TIME_T == (int)CURLINFO_REDIRECT_TIME_T, "curl");
_Static_assert(INFO_APPCONNECT_TIME_T == (int)CURLINFO_APPCONNECT_TIME_T, "curl");
_Static_assert(INFO_EFFECTIVE_METHOD == (int)CURLINFO_EFFECTIVE_METHOD, "curl");
_Static_assert(MESSAGE_DONE == (int)CURLMSG_DONE, "curl");
#define CODE(number, name) _Static_assert((number) == (int)CURLE_##name, "curl");
#include "hooks/curl_codes.def"
#undef CODE
#endif

struct transfer;

/* In parentheses, because some of them are macros as well. */
CURL *(curl_easy_init)(void);
CURLcode(curl_easy_setopt)(CURL *curl, CURLoption option, ...);
CURLcode(curl_easy_getinfo)(CURL *curl, CURLINFO info, ...);
CURLcode(curl_easy_perform)(CURL *curl);
void(curl_easy_cleanup)(CURL *curl);
void(curl_easy_reset)(CURL *curl);
CURL *(curl_easy_duphandle)(CURL *curl);
CURLMcode(curl_multi_add_handle)(CURLM *multi_handle, CURL *curl_handle);
CURLMcode(curl_multi_remove_handle)(CURLM *multi_handle, CURL *curl_handle);
CURLMsg *(curl_multi_info_read)(CURLM *multi_handle, int *msgs_in_queue);
CURLMcode(curl_multi_perform)(CURLM *multi_handle, int *running_handles);
CURLMcode(curl_multi_socket)(CURLM *multi_handle, int s, int *running_handles);
CURLMcode(curl_multi_socket_action)(CURLM *multi_handle, int s, int ev_bitmask, int *running_handles);
CURLMcode(curl_multi_socket_all)(CURLM *multi_handle, int *running_handles);

/* clang-format off */
#define CURL_HOOKED(NAME) \
	NAME(curl_easy_init) NAME(curl_easy_setopt) NAME(curl_easy_getinfo) NAME(curl_easy_perform) \
	NAME(curl_easy_cleanup) NAME(curl_easy_reset) NAME(curl_easy_duphandle) NAME(curl_multi_add_handle) \
	NAME(curl_multi_remove_handle) NAME(curl_multi_info_read) NAME(curl_multi_perform) \
	NAME(curl_multi_socket) NAME(curl_multi_socket_action) NAME(curl_multi_socket_all)
/* clang-format on */

struct curl {
	uintptr_t low, high; /* where it is loaded */
	bool loaded;         /* when that was looked at last */
	bool followed;       /* and so is what it speaks TLS with: what it sends is seen */
#define CURL_POINTER(name) __typeof__(&(name)) name;
	CURL_HOOKED(CURL_POINTER)
#undef CURL_POINTER
};

/* The library that the caller at this address is bound to; NULL: none was found. `look`: libraries may have
 * come and gone since. */
const struct curl *curl_of(const void *caller, bool look);

/* curl_ends.c. Is the handle's URL one for HTTP? `peculiar`: one without a scheme may be for anything. */
bool curl_speaks_http(const struct curl *lib, CURL *handle, bool peculiar);
/* The transfer ended so; transfer NULL: nobody knows the handle. Before the mark is taken away. */
void curl_ended(const struct curl *lib, CURL *handle, struct transfer *transfer, CURLcode code);

/* Does the library call itself? Then that is its own business. */
static inline bool curl_itself(const struct curl *lib, const void *caller)
{
	return lib && (uintptr_t)caller >= lib->low && (uintptr_t)caller < lib->high;
}

#endif
