# odbc_kill.py CONNECTION: PostgreSQL ends the connection in the middle of a statement; the next one finds it gone; one takes too
# long.
import pyodbc, sys, threading, time

connection = pyodbc.connect(sys.argv[1], autocommit=True)
pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
other = pyodbc.connect(sys.argv[1], autocommit=True)

def end():
    waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event = 'PgSleep'"
    while not other.execute(waits, pid).fetchone()[0]:
        time.sleep(0.05)
    other.execute("SELECT pg_terminate_backend(?)", pid)

def fails(what):
    try:
        connection.execute(what)
    except pyodbc.Error as error:
        print(error.args[0])

killer = threading.Thread(target=end)
killer.start()
fails("SELECT pg_sleep(600)")
killer.join()
fails("SELECT 1")
connection = pyodbc.connect(sys.argv[1], autocommit=True)
connection.execute("SET statement_timeout = 50")
fails("SELECT pg_sleep(600)")
