/* curl.c - calls that programs make through libcurl.
 *
 * The wire sees the requests; what it cannot see is whose they are, once a shared loop sends them. So a
 * handle that is handed over (curl_easy_perform, curl_multi_add_handle) is marked, see preload/transfer.h:
 * curl is given a list of header lines of ours that leads on to the program's own, until the transfer is
 * done. curl only ever reads that list; the program's is not touched. Where the program looks, it finds what
 * it put there: a copy of the handle has the program's list, and CURLINFO_REQUEST_SIZE does not count ours.
 *
 * Only for HTTP: a mail or a stream would carry the lines as well. The hooks follow the program's list also
 * where nothing is live, because a mark may be in place. */
#include "hooks/curl.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "preload/context.h"
#include "preload/correlate.h"
#include "preload/hook.h"
#include "preload/protocol_settings.h"
#include "preload/transfer.h"

#define SYMBOLS(WRAP, CALL)            \
	WRAP(curl_easy_init)           \
	WRAP(curl_easy_setopt)         \
	WRAP(curl_easy_getinfo)        \
	WRAP(curl_easy_perform)        \
	WRAP(curl_easy_cleanup)        \
	WRAP(curl_easy_reset)          \
	WRAP(curl_easy_duphandle)      \
	WRAP(curl_multi_add_handle)    \
	WRAP(curl_multi_remove_handle) \
	WRAP(curl_multi_info_read)     \
	WRAP(curl_multi_perform)       \
	WRAP(curl_multi_socket)        \
	WRAP(curl_multi_socket_action) \
	WRAP(curl_multi_socket_all)

HOOK_LATE_LIBRARY(curl, SYMBOLS);

_Static_assert(offsetof(struct transfer_line, text) == offsetof(struct curl_slist, data) &&
		       offsetof(struct transfer_line, next) == offsetof(struct curl_slist, next) &&
		       sizeof(struct transfer_line) == sizeof(struct curl_slist),
	       "our lines are curl's");

/* Whose call it is when no library was found: the next definition's, as for any other hook. */
#define LIB(name) (lib ? lib->name : REAL(name))
#define CALLER __builtin_return_address(0)

/* What we know of the handle; nothing where the library calls itself. */
static struct transfer *known(const struct curl *lib, const void *caller, const CURL *handle)
{
	return curl_itself(lib, caller) ? NULL : transfer_get(handle);
}

/* Also where nothing is live: in a handler that interrupted our own code the guard is that code's. */
static void guarded(void (*what)(struct transfer *transfer), struct transfer *transfer)
{
	if (thread.busy) {
		what(transfer);
		return;
	}
	int saved = hook_enter();
	what(transfer);
	hook_leave(saved);
}

/* --- marking a handle
 * -------------------------------------------------------------------------------------------------- */

/* The carrier fields among the program's own lines, and whose request those of TAGALONG_CORRELATE name. */
static uint32_t fields_in(const struct curl_slist *list, struct correlated *correlated)
{
	uint32_t present = 0;
	*correlated = (struct correlated){SPAN_NOBODY, CORRELATES_NOT};
	for (; list; list = list->next) {
		size_t len = list->data ? strcspn(list->data, ":;") : 0;
		uint32_t field = len ? protocol_settings.carrier((struct bytes){list->data, len}) : 0;
		if (correlate_is(field) && list->data[len])
			correlate_ask(correlated, field, bytes_trim(bytes_of(list->data + len + 1)));
		else if (field && !correlate_is(field))
			present |= CONTEXT_PRESENT(field);
	}
	return present;
}

static void put_back(const struct curl *lib, CURL *handle, struct transfer *transfer)
{
	if (!transfer->marked)
		return;
	int saved = errno;
	LIB(curl_easy_setopt)(handle, OPTION_HTTPHEADER, transfer->theirs);
	guarded(transfer_unmark, transfer);
	errno = saved;
}

/* The handle is handed over: from here on its requests belong to who does that. */
static void hand_over(const struct curl *lib, CURL *handle, struct transfer *transfer)
{
	int error = errno;
	put_back(lib, handle, transfer);
	/* A mark that nobody finds on the wire would be the parent of others' spans, and be told by none. */
	if (!hook_live() || !lib || !lib->followed || !curl_speaks_http(lib, handle, transfer->peculiar)) {
		errno = error;
		return;
	}
	uint32_t present = fields_in(transfer->theirs, &transfer->correlated);
	int saved = hook_enter();
	bool marked = transfer_mark(transfer, present);
	if (marked)
		transfer_chain(transfer, transfer->theirs);
	hook_leave(saved);
	if (marked)
		LIB(curl_easy_setopt)(handle, OPTION_HTTPHEADER, transfer->line);
	errno = error;
}

/* --- handles come and go
 * ----------------------------------------------------------------------------------------------- */

/* A handle that was made now, by the program. What else stood at its address is gone. */
static struct transfer *made(const struct curl *lib, const void *caller, const CURL *handle)
{
	struct transfer *old = transfer_get(handle); /* its end went by unseen */
	if (old)
		guarded(transfer_close, old);
	if (!handle || curl_itself(lib, caller) || !hooks_live)
		return NULL;
	return transfer_open(handle);
}

CURL *curl_easy_init(void)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, true);
	CURL *handle = LIB(curl_easy_init)();
	made(lib, caller, handle);
	return handle;
}

CURL *curl_easy_duphandle(CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, true);
	const struct transfer *from = known(lib, caller, handle);
	CURL *copy = LIB(curl_easy_duphandle)(handle);
	if (copy && from && from->marked) /* it has copied where the list begins */
		LIB(curl_easy_setopt)(copy, OPTION_HTTPHEADER, from->theirs);
	struct transfer *to = from ? made(lib, caller, copy) : NULL;
	if (to) {
		to->theirs = from->theirs;
		to->peculiar = from->peculiar;
	}
	return copy;
}

void curl_easy_cleanup(CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	struct transfer *transfer = known(lib, caller, handle);
	/* Another thread may be given the same address as soon as it is free; curl may read the lines until
	 * then. */
	if (transfer)
		transfer_leave(transfer);
	LIB(curl_easy_cleanup)(handle);
	if (transfer)
		guarded(transfer_close, transfer);
}

void curl_easy_reset(CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	struct transfer *transfer = known(lib, caller, handle);
	LIB(curl_easy_reset)(handle);
	if (transfer) {
		transfer->theirs = NULL;
		transfer->peculiar = false;
		guarded(transfer_unmark, transfer);
	}
}

/* --- options and what became of them
 * ----------------------------------------------------------------------------------- */

/* Every option is a word, be it a long, a curl_off_t or a pointer; it is passed on as it came. */
CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	va_list words;
	va_start(words, option);
	void *word = va_arg(words, void *);
	va_end(words);

	bool ours = option == OPTION_HTTPHEADER || option == OPTION_DEFAULT_PROTOCOL;
	struct transfer *transfer = ours ? known(lib, caller, handle) : NULL;
	if (transfer && option == OPTION_DEFAULT_PROTOCOL)
		transfer->peculiar = word != NULL;
	if (!transfer || option != OPTION_HTTPHEADER)
		return LIB(curl_easy_setopt)(handle, option, word);

	transfer->theirs = word;
	/* In the middle of a transfer: a program that speaks for itself now does so alone. */
	struct correlated unused;
	if (transfer->marked && (fields_in(word, &unused) & CONTEXT_IDENTIFYING))
		guarded(transfer_unmark, transfer);
	if (!transfer->marked)
		return LIB(curl_easy_setopt)(handle, option, word);
	transfer_chain(transfer, word);
	return LIB(curl_easy_setopt)(handle, option, transfer->line);
}

CURLcode curl_easy_getinfo(CURL *handle, CURLINFO info, ...)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	va_list words;
	va_start(words, info);
	void *word = va_arg(words, void *);
	va_end(words);

	CURLcode code = LIB(curl_easy_getinfo)(handle, info, word);
	const struct transfer *transfer = info == INFO_REQUEST_SIZE ? known(lib, caller, handle) : NULL;
	if (transfer && code == 0 && word && *(long *)word >= (long)transfer->passed)
		*(long *)word -= (long)transfer->passed;
	return code;
}

/* --- transfers
 * ---------------------------------------------------------------------------------------------------------
 */

/* What curl does inside of such a call is told by how the transfers end: a connection that fails there is not
 * a call of its own. A frame that is not below us was left by a longjmp. */
#define WITHIN                                               \
	uintptr_t before = thread.within;                    \
	if (before <= (uintptr_t)__builtin_frame_address(0)) \
		before = 0;                                  \
	thread.within = before ? before : (uintptr_t)__builtin_frame_address(0)

CURLcode curl_easy_perform(CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	struct transfer *transfer = known(lib, caller, handle);
	if (transfer)
		hand_over(lib, handle, transfer);
	WITHIN;
	CURLcode code = LIB(curl_easy_perform)(handle);
	thread.within = before;
	if (!curl_itself(lib, caller))
		curl_ended(lib, handle, transfer, code);
	if (transfer)
		put_back(lib, handle, transfer);
	return code;
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
	const struct curl *lib = curl_of(CALLER, false);
	WITHIN;
	CURLMcode code = LIB(curl_multi_perform)(multi, running);
	thread.within = before;
	return code;
}

CURLMcode curl_multi_socket(CURLM *multi, int fd, int *running)
{
	const struct curl *lib = curl_of(CALLER, false);
	WITHIN;
	CURLMcode code = LIB(curl_multi_socket)(multi, fd, running);
	thread.within = before;
	return code;
}

CURLMcode curl_multi_socket_action(CURLM *multi, int fd, int events, int *running)
{
	const struct curl *lib = curl_of(CALLER, false);
	WITHIN;
	CURLMcode code = LIB(curl_multi_socket_action)(multi, fd, events, running);
	thread.within = before;
	return code;
}

CURLMcode curl_multi_socket_all(CURLM *multi, int *running)
{
	const struct curl *lib = curl_of(CALLER, false);
	WITHIN;
	CURLMcode code = LIB(curl_multi_socket_all)(multi, running);
	thread.within = before;
	return code;
}

/* A transfer is done when the program learns of it: the handle is as it was from then on. */
CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	CURLMsg *message = LIB(curl_multi_info_read)(multi, left);
	if (!message || message->msg != MESSAGE_DONE || curl_itself(lib, caller))
		return message;
	struct transfer *transfer = transfer_get(message->easy_handle);
	curl_ended(lib, message->easy_handle, transfer, message->data.result);
	if (transfer)
		put_back(lib, message->easy_handle, transfer);
	return message;
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	struct transfer *transfer = known(lib, caller, handle);
	/* One that is under way already is refused, and must stay as it is. */
	bool fresh = transfer && !transfer->marked;
	if (fresh)
		hand_over(lib, handle, transfer);
	CURLMcode code = LIB(curl_multi_add_handle)(multi, handle);
	if (fresh && code != 0)
		put_back(lib, handle, transfer);
	else if (transfer && !fresh && code == 0)
		hand_over(lib, handle, transfer);
	return code;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *handle)
{
	const void *caller = CALLER;
	const struct curl *lib = curl_of(caller, false);
	struct transfer *transfer = known(lib, caller, handle);
	CURLMcode code = LIB(curl_multi_remove_handle)(multi, handle);
	if (transfer && code == 0)
		put_back(lib, handle, transfer);
	return code;
}
