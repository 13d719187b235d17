<?php
$part = explode('/', explode('?', $_SERVER['REQUEST_URI'])[0]);
$db = new PDO('pgsql:host=127.0.0.1;dbname=postgres;sslmode=disable;gssencmode=disable;port=' . (getenv('BACK') ?: $_SERVER['BACK']), 'rig', '',
	[PDO::ATTR_PERSISTENT => true]);
for ($i = 1; $i <= (int)$part[3]; $i++)
	$db->query("SELECT '/d/$part[2]/$i', pg_sleep(0.01 * random())")->fetchAll();
echo "done $part[2]\n";
