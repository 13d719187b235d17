# psycopg2: what it does for a program, simple queries all of it.
import io, sys
import psycopg2
c = psycopg2.connect("host=127.0.0.1 " + " ".join(sys.argv[1:]))
cur = c.cursor()
cur.execute("select %s, relname from pg_class where relname <> 'secret' limit 3", ("it's",))
print(len(cur.fetchall()))
cur.execute("create temp table t(a int primary key, b text)")
cur.executemany("insert into t values (%s, %s)", [(i, "x%d" % i) for i in range(5)])
c.commit()
try:
    cur.execute("insert into t values (1, 'secret')")
except psycopg2.Error as e:
    print(e.pgcode)
c.rollback()
cur.copy_from(io.StringIO("10\ta\n11\tb\n"), "t")
out = io.StringIO()
cur.copy_to(out, "t")
print(len(out.getvalue()))
named = c.cursor("named")
named.itersize = 2
named.execute("select * from t")
print(len(list(named)))
c.commit()
large = c.lobject(0, "w")
large.write("x" * 100000)
large.close()
c.rollback()
c.autocommit = True
cur.execute("listen x")
cur.execute("notify x, 'secret'")
c.poll()
print(len(c.notifies))
