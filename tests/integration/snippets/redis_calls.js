// redis_calls.js OPTIONS (JSON): ioredis: commands, pipelines written and made by it, a transaction, errors, scripts, pub/sub.
const Redis = require('ioredis');
// Neither INFO, which the test sends itself, nor what an older server does not know and so does not count.
const options = { enableReadyCheck: false, disableClientInfo: true, maxRetriesPerRequest: 0, ...JSON.parse(process.argv[2]) };
const failing = (command) => command.then(() => console.log('no error'), (e) => console.log(e.message.split(' ')[0]));
(async () => {
	const r = new Redis(options);
	console.log(await r.set('p', 'secret'), (await r.get('p')).length, (await r.mget('p', 'q')).length);
	console.log((await r.pipeline().rpush('l', 'secret1').rpush('l', 'secret2').rpush('l', 'secret3').lrange('l', 0, -1).exec()).length);
	console.log((await r.pipeline().incr('p').get('p').exec()).map((one) => (one[0] ? 'failed' : 'fine')).join());
	console.log(JSON.stringify(await r.multi().set('q', 1).incr('q').incr('q').exec()));
	await failing(r.lpush('p', 'secret'));
	await failing(r.call('GET', 'p', 'q'));
	console.log((await Promise.all([...Array(10).keys()].map((i) => r.incrby('n', i)))).join());
	r.defineCommand('mine', { numberOfKeys: 1, lua: 'return KEYS[1] .. #ARGV[1]' });
	console.log(await r.mine('q', 'secret'), await r.mine('q', 'secret'));
	console.log((await r.hset('h', { f1: 'secret', f2: 'secret' })), (await r.hgetall('h')).f1.length);
	console.log((await r.getBuffer('q')).length, (await r.set('big', 'x'.repeat(300000))), (await r.get('big')).length);
	await r.select(1);
	console.log(await r.get('p'));

	const auto = new Redis({ ...options, enableAutoPipelining: true });
	await auto.ping();
	console.log((await Promise.all([...Array(10).keys()].map((i) => auto.incrby('auto', i)))).join());

	const sub = new Redis(options);
	const heard = new Promise((resolve) => sub.on('message', (channel) => resolve(channel)));
	console.log(await sub.subscribe('news'));
	console.log(await r.publish('news', 'secret'), await heard);
	for (const one of [r, auto, sub]) one.disconnect();
})();
