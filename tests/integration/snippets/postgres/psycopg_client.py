# psycopg 3: parameters on the server's side, prepared statements, pipelines, COPY.
import sys
import logging
import psycopg
logging.disable(logging.CRITICAL)
c = psycopg.connect("host=127.0.0.1 " + " ".join(sys.argv[1:]))
cur = c.cursor()
cur.execute("select %s::text, relname from pg_class limit 3", ("secret",))
print(len(cur.fetchall()))
cur.execute("create temp table t(a int primary key, b text)")
cur.executemany("insert into t values (%s, %s)", [(i, "x%d" % i) for i in range(50)])
for i in range(10):
    cur.execute("select * from t where a = %s", (i,))
    cur.fetchall()
c.commit()
def failing(what):
    try:
        what()
    except Exception as e:
        print(getattr(e, "sqlstate", None))
    c.rollback()
failing(lambda: cur.execute("insert into t values (1, 'secret')"))
def copied(rows, then=None):
    with cur.copy("copy t from stdin") as copy:
        for row in rows:
            copy.write_row(row)
        if then:
            raise then
copied([(100, "a"), (101, "b")])
c.commit()
failing(lambda: copied([(100, "a")]))
failing(lambda: copied([(105, "a")], KeyError()))
with cur.copy("copy t to stdout") as copy:
    print(len(list(copy)))
with c.cursor("named") as named:
    named.itersize = 10
    named.execute("select * from t")
    print(len(list(named)))
with c.pipeline():
    a = c.execute("select 1")
    b = c.execute("select 2")
    print(a.fetchone(), b.fetchone())
c.commit()
def broken():
    with c.pipeline() as pipeline:
        c.execute("select 1 / 0")
        c.execute("select 3")
        pipeline.sync()
failing(broken)
print(sum(row[0] for row in cur.stream("select generate_series(1, 5)")))
c.close()
