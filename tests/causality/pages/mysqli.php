<?php
$part = explode('/', explode('?', $_SERVER['REQUEST_URI'])[0]);
$db = new mysqli('127.0.0.1', 'rig', 'rig', null, (int)$_SERVER['BACK']);
for ($i = 1; $i <= (int)$part[3]; $i++)
	$db->query("SELECT '/d/$part[2]/$i', SLEEP(0.01 * RAND())")->fetch_all();
echo "done $part[2]\n";
