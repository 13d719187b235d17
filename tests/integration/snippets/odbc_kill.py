# odbc_kill.py CONNECTION [mariadb]: the server (PostgreSQL) ends the connection in the middle of a statement; the next one finds
# it gone; one takes too long.
import pyodbc, sys, threading, time

maria = len(sys.argv) > 2
pid_of = "SELECT connection_id()" if maria else "SELECT pg_backend_pid()"
waits = ("SELECT count(*) FROM information_schema.processlist WHERE id = ? AND state = 'User sleep'" if maria else
         "SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event = 'PgSleep'")
sleeps = "SELECT sleep(600)" if maria else "SELECT pg_sleep(600)"
connection = pyodbc.connect(sys.argv[1], autocommit=True)
pid = connection.execute(pid_of).fetchone()[0]
other = pyodbc.connect(sys.argv[1], autocommit=True)

def end():
    while not other.execute(waits, pid).fetchone()[0]:
        time.sleep(0.05)
    other.execute("KILL %d" % pid) if maria else other.execute("SELECT pg_terminate_backend(?)", pid)

def fails(what):
    try:
        connection.execute(what)
    except pyodbc.Error as error:
        print(error.args[0])

killer = threading.Thread(target=end)
killer.start()
fails(sleeps)
killer.join()
fails("SELECT 1")
connection = pyodbc.connect(sys.argv[1], autocommit=True)
connection.execute("SET max_statement_time = 0.05" if maria else "SET statement_timeout = 50")
fails(sleeps)
