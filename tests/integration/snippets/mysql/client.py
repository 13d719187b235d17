import importlib
import os
import sys

name = sys.argv[1]
driver = importlib.import_module(name.removesuffix("_tls"))
extra = {"ssl": {"ca": os.environ["DB_CERT"], "check_hostname": False}} if name.endswith("_tls") else {}
db = driver.connect(host="127.0.0.1", port=int(os.environ["DB_PORT"]), user="t", password="pw", database="d1", **extra)
cursor = db.cursor()
cursor.execute("select v from t where id = %s", (1,))
print(cursor.fetchall())
try:
    cursor.execute("insert into t values (1, %s)", ("x",))
except driver.Error as error:
    print(error.args[0])
cursor.execute("select v from t where v in %s", (("one", "two"),))
print(len(cursor.fetchall()))
db.select_db("mysql")
cursor.execute("select 3")
cursor.fetchall()
db.commit()
db.ping()
db.close()
