// client.js OPTIONS (JSON): node-pg: simple, with parameters, named, failing, several at once, in a pipeline, notifications, a pool.
const { Client, Pool } = require('pg');
const options = { host: process.env.PGHOST, database: 'd1', ssl: false, ...JSON.parse(process.argv[2] || '{}') };
const failing = (query) => query.then(() => console.log('no error'), (e) => console.log(e.code));
(async () => {
	const c = new Client(options);
	await c.connect();
	await c.query('create temp table t(a int primary key, b text)');
	for (let i = 0; i < 5; i++) await c.query('insert into t values ($1, $2)', [i, 'secret']);
	await failing(c.query('insert into t values (1, $1)', ['secret']));
	for (let i = 0; i < 3; i++)
		console.log((await c.query({ name: 'named', text: 'select b from t where a > $1', values: [i] })).rowCount);
	console.log((await c.query('select 1; select 2')).length);
	await failing(c.query('select nope'));
	await failing(c.query('select 1 / $1::int', [0]));
	console.log((await Promise.all([...Array(6).keys()].map((i) => c.query('select $1::int + 1 as n', [i])))).map((r) => r.rows[0].n).join());
	await c.query('set statement_timeout = 100');
	await failing(c.query('select pg_sleep(20)'));
	await c.query('set statement_timeout = 0');
	const heard = new Promise((resolve) => c.on('notification', (m) => resolve(m.channel)));
	await c.query('listen news');
	const pool = new Pool({ ...options, max: 3 });
	console.log((await Promise.all([...Array(9).keys()].map((i) => pool.query('select $1::int * 2 as pooled', [i])))).map((r) => r.rows[0].pooled).join());
	await pool.query("notify news, 'secret'");
	console.log(await heard);
	await pool.end();
	await c.end();

	const p = new Client({ ...options, pipeline: true }); // older ones know no pipeline, and do without
	await p.connect();
	const all = [...Array(20).keys()].map((i) => p.query({ name: i % 2 ? 'piped' : undefined, text: `select ${i % 2 ? 6 : i} / $1::int as piped`, values: [i % 5] }));
	all.push(p.query('select 3 as simple'), p.query('begin'), p.query('select $1::text as last', ['secret']), p.query('commit'));
	console.log((await Promise.allSettled(all)).map((r) => (r.status === 'fulfilled' ? r.value.rowCount : r.reason.code)).join());
	await p.end();
})();
