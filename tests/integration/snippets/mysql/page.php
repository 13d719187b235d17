<?php
$db = new mysqli('127.0.0.1', 't', 'pw', 'd1', (int)getenv('DB_PORT'));
echo $db->query("select v from t where id = 1")->fetch_row()[0], "\n";
$stmt = $db->prepare("select v from t where id = ?");
$id = 2;
$stmt->bind_param('i', $id);
for ($i = 0; $i < 2; $i++) {
	$stmt->execute();
	echo $stmt->get_result()->fetch_row()[0], "\n";
}
