<?php
$options = [PDO::ATTR_EMULATE_PREPARES => false, PDO::ATTR_ERRMODE => PDO::ERRMODE_SILENT];
$db = new PDO('mysql:host=127.0.0.1;dbname=d1;port=' . getenv('DB_PORT'), 't', 'pw', $options);
$stmt = $db->prepare('select * from t where id = ?');
foreach ([1, 2, 9] as $id) {
	$stmt->execute([$id]);
	print_r($stmt->fetchAll(PDO::FETCH_NUM));
}
$db->beginTransaction();
$db->exec("insert into t values (77, 'x')");
$db->exec("insert into t values (1, 'dup')");
$db->rollBack();
