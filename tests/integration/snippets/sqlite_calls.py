# sqlite_calls.py FILE: sqlite3 as Python's module calls it; last line: how many statements SQLite's own trace saw.
import sqlite3, sys

seen = []
db = sqlite3.connect(sys.argv[1])
db.set_trace_callback(lambda text: text.startswith("--") or seen.append(text))
db.execute("PRAGMA synchronous = off")
db.execute("CREATE TABLE p(a INTEGER PRIMARY KEY, b)")
db.executemany("INSERT INTO p VALUES(?, ?)", [(i, f"secret {i}") for i in range(200)])
db.commit()
print(db.execute("SELECT count(*) FROM p").fetchone())
print(len(db.execute("SELECT b FROM p WHERE b <> 'secret'").fetchall()))
print(db.execute("SELECT b FROM p").fetchone())  # and no more of it
try:
    db.execute("INSERT INTO p VALUES(1, 'x')")
except sqlite3.IntegrityError as error:
    print(error)
try:
    db.execute("SELECT nothing FROM p")
except sqlite3.OperationalError as error:
    print(error)
db.rollback()
db.executescript("BEGIN; UPDATE p SET b = 'secret' WHERE a = 5; DELETE FROM p WHERE a > 100; COMMIT;")
with db:
    db.execute("DELETE FROM p")
print("statements", len(seen))
