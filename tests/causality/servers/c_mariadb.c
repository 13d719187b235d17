/* c_mariadb - a thread for each connection, libmariadb; they wait for one of 8 connections to MariaDB.
 * rig: needs=mariadb-install-db /usr/sbin/mariadbd pkg:libmariadb
 * rig: libs=`pkg-config --cflags --libs libmariadb`
 * rig: back=mariadb
 * rig: calls=3
 * rig: warm=400 */
#include <mysql.h>

#include "database.h"

static void *database_open(void)
{
	MYSQL *made = mysql_init(NULL);
	return mysql_real_connect(made, "127.0.0.1", "rig", "rig", NULL, (unsigned)rig_back, NULL, 0);
}

static bool database_ask(void *connection, long id, int number)
{
	char text[128];
	int size = snprintf(text, sizeof(text), "SELECT '/d/%ld/%d', SLEEP(0.01 * RAND())", id, number);
	if (mysql_real_query(connection, text, (unsigned long)size))
		return false;
	mysql_free_result(mysql_store_result(connection));
	return true;
}
