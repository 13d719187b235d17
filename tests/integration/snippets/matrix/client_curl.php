<?php
// php-curl, one handle for all.
$handle = curl_init();
foreach (array_slice($argv, 1) as $url) {
	curl_setopt_array($handle, [CURLOPT_URL => $url, CURLOPT_RETURNTRANSFER => true, CURLOPT_CAINFO => getenv('SSL_CERT_FILE')]);
	if (curl_exec($handle) === false) exit(curl_error($handle) . "\n");
}
