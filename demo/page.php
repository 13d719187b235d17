<?php
// GET /page/N: the page's title from MariaDB, and what the shop says, asked over https. $_SERVER['SHOP'], ['CA'] and
// ['DATABASE'] come from the web server.
$item = (int) basename($_SERVER['DOCUMENT_URI']);
$db = new mysqli(null, 'root', '', 'site', 0, $_SERVER['DATABASE']);
$row = $db->query("SELECT title FROM pages WHERE item = $item")->fetch_row();
$context = stream_context_create([
	'http' => ['ignore_errors' => true, 'timeout' => 5],
	'ssl' => ['cafile' => $_SERVER['CA']],
]);
$body = file_get_contents("{$_SERVER['SHOP']}/shop/$item", false, $context);
$ok = isset($http_response_header) && str_contains($http_response_header[0], ' 200 ');
http_response_code($ok ? 200 : 502);
header('Content-Type: application/json');
echo json_encode(['title' => $row[0] ?? 'untitled', 'shop' => json_decode($body) ?? $body]), "\n";
