<?php
// GET /page/N: asks the shop over https and shows what it says. $_SERVER['SHOP'] and ['CA'] come from the web server.
$item = basename($_SERVER['DOCUMENT_URI']);
$context = stream_context_create([
	'http' => ['ignore_errors' => true, 'timeout' => 5],
	'ssl' => ['cafile' => $_SERVER['CA']],
]);
$body = file_get_contents("{$_SERVER['SHOP']}/shop/$item", false, $context);
$ok = isset($http_response_header) && str_contains($http_response_header[0], ' 200 ');
http_response_code($ok ? 200 : 502);
header('Content-Type: application/json');
echo $body;
