// client2.js OPTIONS (JSON): mysql2: queries, prepared statements, failing ones, several in one, several at once, a stream, a pool.
const mysql = require('mysql2/promise');
const options = {
	port: +process.env.DB_PORT, host: '127.0.0.1', user: 't', password: 'pw', database: 'd1', multipleStatements: true,
	...JSON.parse(process.argv[2] || '{}'),
};
const failing = (query) => query.then(() => console.log('no error'), (e) => console.log(e.errno));
(async () => {
	const db = await mysql.createConnection(options);
	console.log(JSON.stringify((await db.query('select v from t where id = ?', [1]))[0]));
	console.log(JSON.stringify((await db.query('select 1 as a; select 2 as b'))[0]));
	await failing(db.query("insert into t values (1, 'secret')"));
	for (let i = 1; i < 4; i++)
		console.log(JSON.stringify((await db.execute('select v from t where id >= ? and v <> ?', [i, 'secret']))[0]));
	await failing(db.execute('insert into t values (?, ?)', [1, 'secret']));
	db.unprepare('select v from t where id >= ? and v <> ?');
	console.log((await db.execute('select v from t where id >= ? and v <> ?', [3, 'secret']))[0].length);
	console.log((await Promise.all([...Array(8).keys()].map((i) => db.query('select ? + 1 as n', [i])))).map((r) => r[0][0].n).join());
	console.log((await Promise.all([...Array(8).keys()].map((i) => db.execute('select ? + 1 as n', [i])))).map((r) => r[0][0].n).join());
	console.log(JSON.stringify((await db.query('call p1(4)'))[0].slice(0, 2)));
	let rows = 0;
	for await (const row of db.connection.query('select seq from seq_1_to_3000').stream()) rows += row.seq > 0;
	console.log(rows, (await db.query("select repeat('x', 300000) as a"))[0][0].a.length);
	await db.beginTransaction();
	await db.query('insert into b values (?)', [Buffer.from('secret')]);
	await db.rollback();
	await db.changeUser({ database: 'mysql' });
	await db.query('select 9');
	await db.end();

	const pool = mysql.createPool({ ...options, connectionLimit: 3 });
	console.log((await Promise.all([...Array(9).keys()].map((i) => pool.execute('select ? * 2 as pooled', [i])))).map((r) => r[0][0].pooled).join());
	await pool.end();
})();
