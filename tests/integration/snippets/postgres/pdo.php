<?php
$d = new PDO("pgsql:host=127.0.0.1;dbname=d1", getenv("PGUSER"), "", [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$d->exec("create temp table t(a int primary key, b text)");
$s = $d->prepare("insert into t values (?, ?)");
for ($i = 0; $i < 3; $i++) $s->execute([$i, "secret"]);
try { $s->execute([1, "secret"]); } catch (PDOException $e) { echo $e->getCode(), "\n"; }
foreach ($d->query("select * from t where b <> 'x'") as $row) echo $row["a"], "\n";
$d->beginTransaction();
$d->pgsqlCopyFromArray("t", ["7\tx", "8\ty"]);
$d->commit();
echo count($d->pgsqlCopyToArray("t")), "\n";
try { $d->prepare("select nope")->execute(); } catch (PDOException $e) { echo $e->getCode(), "\n"; }
$p = pg_connect("host=127.0.0.1 dbname=d1");
pg_send_query($p, "select 1; select 2");
while ($r = pg_get_result($p)) echo pg_fetch_result($r, 0, 0), "\n";
echo pg_num_rows(pg_query_params($p, "select generate_series(1, $1::int)", [5])), "\n";
