# asyncpg: its own protocol implementation, everything prepared, portals, binary COPY, TLS over memory BIOs.
import asyncio, os, sys
import asyncpg
async def main():
    tls = sys.argv[1] == "tls"
    c = await asyncpg.connect(host="127.0.0.1", port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"],
                              database="d1", ssl="require" if tls else False)
    print(await c.fetchval("select 41 + $1::int", 1))
    await c.execute("create temp table t(a int primary key, b text)")
    await c.executemany("insert into t values ($1, $2)", [(i, "secret") for i in range(5)])
    await c.copy_records_to_table("t", records=[(10, "a"), (11, "b")])
    for text in "insert into t values ($1, 'dup')", "select nope from $1":
        try:
            await c.fetch(text, 1)
        except asyncpg.PostgresError as e:
            print(e.sqlstate)
    async with c.transaction():
        print(len([row async for row in c.cursor("select * from t", prefetch=2)]))
    s = await c.prepare("select * from t where a = $1")
    print(len(await s.fetch(3)), len(await s.fetch(99)))
    try:
        await c.execute("select pg_sleep(20)", timeout=0.2)
    except asyncio.TimeoutError:
        print("timeout")
    await c.close()
asyncio.run(main())
