import importlib
import os
import sys

name = sys.argv[1]
driver = importlib.import_module(name.removesuffix("_tls"))
extra = {"ssl": {"ca": os.environ["DB_CERT"], "check_hostname": False}} if name.endswith("_tls") else {}
db = driver.connect(host="127.0.0.1", port=int(os.environ["DB_PORT"]), user="t", password="pw", database="d1",
                    read_timeout=1, autocommit=None, **extra)
try:
    db.cursor().execute("select sleep(25)")
except driver.Error as error:
    print(error.args[0])
