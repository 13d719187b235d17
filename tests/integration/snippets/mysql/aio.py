"""aio.py [tls]: aiomysql, whose TLS is asyncio's, over memory BIOs; four connections at once."""
import asyncio
import os
import ssl
import sys

import aiomysql


async def ask(number, tls):
    db = await aiomysql.connect(host="127.0.0.1", port=int(os.environ["DB_PORT"]), user="t", password="pw", db="d1", ssl=tls)
    cursor = await db.cursor()
    await cursor.execute("select v from t where id = %s", (number % 3 + 1,))
    rows = list(await cursor.fetchall())
    try:
        await cursor.execute("insert into t values (1, %s)", ("x",))
    except aiomysql.Error as error:
        rows.append(error.args[0])
    await db.select_db("mysql")
    await cursor.execute("select 3")
    rows.append(await cursor.fetchall())
    db.close()
    return rows


async def main():
    tls = None
    if sys.argv[1:] == ["tls"]:
        tls = ssl.create_default_context(cafile=os.environ["DB_CERT"])
        tls.check_hostname = False
    print(await asyncio.gather(*(ask(number, tls) for number in range(4))))


asyncio.run(main())
