/* libpq.h - which libpq a call is for, and its functions.
 *
 * No header of PostgreSQL's is needed: the few prototypes and numbers stand here, and tests/lint/vendor.sh
 * compares them with the vendor's where that is installed. */
#ifndef TAGALONG_HOOKS_LIBPQ_H
#define TAGALONG_HOOKS_LIBPQ_H

#include "hooks/copies.h"
#include "hooks/statement.h"
#include "preload/asked.h"

/* Its ABI. */
enum {
	STATUS_EMPTY = 0,
	STATUS_COMMAND_OK = 1,
	STATUS_TUPLES_OK = 2,
	STATUS_COPY_OUT = 3,
	STATUS_COPY_IN = 4,
	STATUS_BAD_RESPONSE = 5,
	STATUS_FATAL = 7,
	STATUS_COPY_BOTH = 8,
	STATUS_SINGLE_TUPLE = 9,
	STATUS_PIPELINE_SYNC = 10,
	STATUS_PIPELINE_ABORTED = 11,
	STATUS_CHUNK = 12,
	CONNECTED = 0,
	TRANSACTION_ACTIVE = 1,
	PIPELINE_OFF = 0,
	FIELD_SQLSTATE = 'C',
	FUNCTION_LOREAD = 954, /* its number in every server */
};

#ifndef LIBPQ_FE_H /* the vendor's own guard: the lint includes that first */
typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef unsigned int Oid;
typedef struct {
	int len;
	int isint;
	union {
		int *ptr;
		int integer;
	} u;
} PQArgBlock;
typedef int ExecStatusType; /* enums there */
typedef int ConnStatusType;
typedef int PGTransactionStatusType;
typedef int PGpipelineStatus;
#else
_Static_assert(STATUS_EMPTY == (int)PGRES_EMPTY_QUERY, "libpq");
_Static_assert(STATUS_COMMAND_OK == (int)PGRES_COMMAND_OK, "libpq");
_Static_assert(STATUS_TUPLES_OK == (int)PGRES_TUPLES_OK, "libpq");
_Static_assert(STATUS_COPY_OUT == (int)PGRES_COPY_OUT, "libpq");
_Static_assert(STATUS_COPY_IN == (int)PGRES_COPY_IN, "libpq");
_Static_assert(STATUS_BAD_RESPONSE == (int)PGRES_BAD_RESPONSE, "libpq");
_Static_assert(STATUS_FATAL == (int)PGRES_FATAL_ERROR, "libpq");
_Static_assert(STATUS_COPY_BOTH == (int)PGRES_COPY_BOTH, "libpq");
_Static_assert(STATUS_SINGLE_TUPLE == (int)PGRES_SINGLE_TUPLE, "libpq");
#ifdef LIBPQ_HAS_PIPELINING
_Static_assert(PIPELINE_OFF == (int)PQ_PIPELINE_OFF, "libpq");
_Static_assert(STATUS_PIPELINE_SYNC == (int)PGRES_PIPELINE_SYNC, "libpq");
_Static_assert(STATUS_PIPELINE_ABORTED == (int)PGRES_PIPELINE_ABORTED, "libpq");
#endif
#ifdef LIBPQ_HAS_CHUNK_MODE
_Static_assert(STATUS_CHUNK == (int)PGRES_TUPLES_CHUNK, "libpq");
#endif
_Static_assert(CONNECTED == (int)CONNECTION_OK, "libpq");
_Static_assert(TRANSACTION_ACTIVE == (int)PQTRANS_ACTIVE, "libpq");
#endif

PGconn *PQconnectdb(const char *info);
PGconn *PQconnectdbParams(const char *const *keywords, const char *const *values, int expand);
PGconn *PQconnectStart(const char *info);
PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand);
PGconn *PQsetdbLogin(const char *host, const char *port, const char *options, const char *tty,
		     const char *database, const char *login, const char *password);
void PQfinish(PGconn *conn);

PGresult *PQexec(PGconn *conn, const char *query);
PGresult *PQexecParams(PGconn *conn, const char *query, int count, const Oid *types,
		       const char *const *values, const int *lengths, const int *formats, int format);
PGresult *PQprepare(PGconn *conn, const char *name, const char *query, int count, const Oid *types);
PGresult *PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
			 const int *lengths, const int *formats, int format);
PGresult *PQdescribePrepared(PGconn *conn, const char *name);
PGresult *PQdescribePortal(PGconn *conn, const char *name);
PGresult *PQfn(PGconn *conn, int function, int *result, int *length, int is_int, const PQArgBlock *args,
	       int count);
int PQsendQuery(PGconn *conn, const char *query);
int PQsendQueryParams(PGconn *conn, const char *query, int count, const Oid *types, const char *const *values,
		      const int *lengths, const int *formats, int format);
int PQsendPrepare(PGconn *conn, const char *name, const char *query, int count, const Oid *types);
int PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values,
			const int *lengths, const int *formats, int format);
int PQsendDescribePrepared(PGconn *conn, const char *name);
int PQsendDescribePortal(PGconn *conn, const char *name);
PGresult *PQclosePrepared(PGconn *conn, const char *name); /* since 17, and the next three */
PGresult *PQclosePortal(PGconn *conn, const char *name);
int PQsendClosePrepared(PGconn *conn, const char *name);
int PQsendClosePortal(PGconn *conn, const char *name);
PGresult *PQgetResult(PGconn *conn);
int PQendcopy(PGconn *conn);
int lo_read(PGconn *conn, int fd, char *bytes, size_t count);

/* Called only. They look at the handle, and do nothing. */
int PQsocket(const PGconn *conn);
PGTransactionStatusType PQtransactionStatus(const PGconn *conn);
ConnStatusType PQstatus(const PGconn *conn);
char *PQdb(const PGconn *conn);
int PQisnonblocking(const PGconn *conn);
PGpipelineStatus PQpipelineStatus(const PGconn *conn); /* since 14 */
const char *PQparameterStatus(const PGconn *conn, const char *name);
ExecStatusType PQresultStatus(const PGresult *result);
char *PQresultErrorField(const PGresult *result, int field);
int PQntuples(const PGresult *result);

/* clang-format off */
#define LIBPQ_FUNCTIONS(NAME) \
	NAME(PQsocket) NAME(PQsendQuery) NAME(PQtransactionStatus) NAME(PQstatus) NAME(PQdb) NAME(PQisnonblocking) NAME(PQpipelineStatus) \
	NAME(PQparameterStatus) NAME(PQresultStatus) NAME(PQresultErrorField) NAME(PQntuples) \
	NAME(PQconnectdb) NAME(PQconnectdbParams) NAME(PQconnectStart) NAME(PQconnectStartParams) \
	NAME(PQsetdbLogin) NAME(PQfinish) NAME(PQexec) NAME(PQexecParams) NAME(PQprepare) NAME(PQexecPrepared) \
	NAME(PQdescribePrepared) NAME(PQdescribePortal) NAME(PQfn) NAME(PQsendQueryParams) NAME(PQsendPrepare) \
	NAME(PQsendQueryPrepared) NAME(PQsendDescribePrepared) NAME(PQsendDescribePortal) \
	NAME(PQclosePrepared) NAME(PQclosePortal) NAME(PQsendClosePrepared) NAME(PQsendClosePortal) NAME(PQgetResult) NAME(PQendcopy) NAME(lo_read)
/* clang-format on */

struct libpq {
	struct copy copy;
#define LIBPQ_POINTER(name) __typeof__(&name) name;
	LIBPQ_FUNCTIONS(LIBPQ_POINTER)
#undef LIBPQ_POINTER
};

/* The copy that the caller is bound to; NULL: none was found. `look`: one may have come since. */
const struct libpq *libpq_of(const void *caller, bool look);
extern struct copies libpq_copies;
static inline const struct libpq *libpq_known(const void *caller)
{
	return (const struct libpq *)(const void *)copies_known(&libpq_copies, caller);
}

/* --- libpq_own.c: spans of the library, where the wire is not followed. Expect hook_enter(). ----------- */

enum libpq_kind {
	KIND_QUERY,
	KIND_PARAMS,
	KIND_PREPARE,
	KIND_PREPARED,
	KIND_CLOSE,
	KIND_FUNCTION,
	KIND_OTHER
};

struct libpq_call {
	enum libpq_kind kind;
	const char *name, *text; /* of the statement; NULL: none */
	int function;
};

void libpq_describe(const struct libpq *lib, PGconn *conn, const struct libpq_call *call,
		    const struct asked_own *own);
/* A result, or a part of one, of the call that this span is. */
void libpq_tell_result(const struct libpq *lib, struct span *span, const PGconn *conn,
		       const PGresult *result);
void libpq_tell_failure(struct span *span);  /* nobody knows of what kind */
void libpq_tell_end(struct span *span);      /* there are no more */
bool libpq_has_one(const struct span *span); /* of such a call there is one result, and no more */
void libpq_forget(const PGconn *conn);       /* what it prepared */
/* The query with its span's context as a comment, in a block that is the caller's to give back. NULL: not in
 * this one. */
char *libpq_commented(const struct libpq *lib, const PGconn *conn, const char *query, struct span *span);

#endif
