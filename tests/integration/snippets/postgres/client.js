const { Client } = require('pg');
(async () => {
	const c = new Client({ host: '127.0.0.1', database: 'd1', ssl: false });
	await c.connect();
	await c.query('create temp table t(a int primary key, b text)');
	for (let i = 0; i < 5; i++) await c.query('insert into t values ($1, $2)', [i, 'secret']);
	try { await c.query('insert into t values (1, $1)', ['secret']); } catch (e) { console.log(e.code); }
	for (let i = 0; i < 3; i++)
		console.log((await c.query({ name: 'named', text: 'select b from t where a > $1', values: [i] })).rowCount);
	console.log((await c.query('select 1; select 2')).length);
	await c.end();
})();
