<?php
mysqli_report(MYSQLI_REPORT_OFF);
$db = new mysqli('127.0.0.1', 't', 'pw', 'd1', (int)getenv('DB_PORT'));
$db->query("select 1");
$stmt = $db->prepare("select v from t where id = ? and v <> 'q'");
$id = 1;
$stmt->bind_param('i', $id);
$stmt->execute();
$stmt->bind_result($v);
$stmt->fetch();
$stmt->close();
$db->multi_query("select 1; select 2; select 'z'");
do {
	if ($result = $db->store_result())
		$result->free();
} while ($db->more_results() && $db->next_result());
$db->prepare("selec nonsense");
$db->query("insert into t values (1, 'dup')");
$db->select_db('mysql');
$db->query("select 5");
$db->ping();
$db->query("use d1");
$result = $db->query("select v from t", MYSQLI_USE_RESULT);
while ($row = $result->fetch_row())
	echo $row[0], "\n";
$result->free();
$db->change_user('t', 'pw', 'mysql');
$db->query("select 7");
$db->query("select 8", MYSQLI_ASYNC);
$db->reap_async_query()->free();
echo "done $v\n";
