// node - http's server and client, each call on a connection of its own.
// rig: needs=node
// rig: calls=3
const http = require('http');
const [port, back] = process.argv.slice(2);
const keep = process.env.RIG_AGENT === 'keep';
const agent = new http.Agent({keepAlive: keep});
const ask = (path) => new Promise((done, fail) => {
	http.get({host: '127.0.0.1', port: back, path, agent}, (answer) => answer.resume().on('end', done)).on('error', fail);
});
http.createServer(async (request, response) => {
	const [, , id, calls] = request.url.split('/');
	for (let i = 1; i <= calls; i++) await ask(`/d/${id}/${i}`);
	response.end(`done ${id}\n`);
}).listen(port, '127.0.0.1', 4096);
