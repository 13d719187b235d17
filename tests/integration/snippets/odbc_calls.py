# odbc_calls.py CONNECTION: statements as pyodbc makes them; last line: `calls N`.
import pyodbc, sys

calls = 0
connection = pyodbc.connect(sys.argv[1], autocommit=True)
cursor = connection.cursor()

def execute(*what):
    global calls
    calls += 1
    return cursor.execute(*what)

execute("CREATE TABLE p(a INTEGER PRIMARY KEY, b VARCHAR(100))")
for i in range(3):
    execute("INSERT INTO p VALUES(?, ?)", i, f"secret é {i}")
cursor.executemany("INSERT INTO p VALUES(?, ?)", [(i, "secret") for i in range(10, 15)])
calls += 5
print(execute("SELECT count(*), 'secret é' FROM p").fetchall())
for wrong in "INSERT INTO p VALUES(1, 'x')", "SELECT * FROM nowhere":
    try:
        execute(wrong)
    except pyodbc.Error as error:
        print(error)
connection.autocommit = False
execute("UPDATE p SET b = ? WHERE a = 1", "y")
connection.rollback()
print(execute("SELECT b FROM p WHERE a = 1").fetchone())
execute("DROP TABLE p")
connection.commit()
print("calls", calls)
