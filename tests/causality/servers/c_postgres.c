/* c_postgres - a thread for each connection, libpq; they wait for one of 8 connections to PostgreSQL.
 * rig: needs=/usr/lib/postgresql/1?/bin/postgres pkg:libpq
 * rig: libs=`pkg-config --cflags --libs libpq`
 * rig: back=postgres
 * rig: calls=3
 * rig: warm=400 */
#include <libpq-fe.h>

#include "database.h"

static void *database_open(void)
{
	char where[128];
	snprintf(where, sizeof(where),
		 "host=127.0.0.1 port=%d user=rig dbname=postgres sslmode=disable gssencmode=disable",
		 rig_back);
	PGconn *made = PQconnectdb(where);
	return PQstatus(made) == CONNECTION_OK ? made : NULL;
}

static bool database_ask(void *connection, long id, int number)
{
	char text[128];
	snprintf(text, sizeof(text), "SELECT '/d/%ld/%d', pg_sleep(0.01 * random())", id, number);
	PGresult *answer = PQexec(connection, text);
	bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
	PQclear(answer);
	return good;
}
