# psycopg 3.2 and later on a libpq of 17 and later: results in chunks, statements that are closed, pipelines of both.
import sys
import psycopg
c = psycopg.connect("host=127.0.0.1 " + " ".join(sys.argv[1:]), autocommit=True)
print(psycopg.pq.__impl__, psycopg.pq.version() >= 170000)
print(sum(row[0] for row in c.cursor().stream("select generate_series(1, 25) as chunked", size=10)))
try:
    for row in c.cursor().stream("select 1 / (6 - g) as fails from generate_series(1, 9) g", size=3):
        print(row[0])
except psycopg.Error as e:
    print(e.sqlstate)
c.prepare_threshold, c.prepared_max = 1, 2
for i in range(12):
    print(c.execute("select %%s::int + %d as closed" % (i % 4), (i,)).fetchone()[0])
    c.execute("select %%s::int + %d as closed" % (i % 4), (i,))
with c.pipeline():
    results = [c.execute("select %%s::int + %d as piped" % (i % 4), (i,)) for i in range(12)]
    print([r.fetchone()[0] for r in results])
c.close()
