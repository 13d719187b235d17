const mysql = require('mysql');
const db = mysql.createConnection({
	host: '127.0.0.1', port: +process.env.DB_PORT, user: 't', password: 'pw', database: 'd1', multipleStatements: true,
});
const print = (error, rows) => console.log(error && error.errno, JSON.stringify(rows));
db.connect();
db.query('select v from t where id = ?', [1], print);
db.query('select 1; select 2', print);
db.query('insert into t values (1, ?)', ['x'], (error) => console.log(error && error.errno));
db.changeUser({ database: 'mysql' }, () => db.query('select 9', (error, rows) => { print(error, rows); db.end(); }));
