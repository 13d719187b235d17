// parents_node.js PORT BACKEND [at-once]: calls the backend over kept connections, at once or when a timer goes off.
const http = require('http');
const [port, backend, when] = process.argv.slice(2);
const agent = new http.Agent({keepAlive: true, maxSockets: 4});
http.createServer((request, response) => {
	const call = () => http.get({host: '127.0.0.1', port: backend, path: request.url, agent}, (answer) => answer.pipe(response));
	if (when === 'at-once') call();
	else setTimeout(call, Math.random() * 10);
}).listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
