import net from 'node:net';
import { randomBytes } from 'node:crypto';
import { serialize } from 'pg-protocol';
import { connectDatabase, findDatabase } from '../src/index.js';
const running = await findDatabase({ env: {} });
const { port, password } = new URL(running.url);
const db = await connectDatabase({ url: running.url });
const open = async () => { const s = net.connect(Number(port), '127.0.0.1'); s.on('error', () => {}); await new Promise((r) => s.once('connect', r));
  s.write(serialize.startup({ user: 'postgres', database: 'postgres' })); await new Promise((r) => s.once('data', r)); s.write(serialize.password(password)); await new Promise((r) => s.once('data', r)); return s; };
const frame = (t: string, b: Buffer) => { const h = Buffer.alloc(5); h.write(t); h.writeInt32BE(b.length + 4, 1); return Buffer.concat([h, b]); };
for (let i = 0; i < 100; i++) {
  const s = await open(); const parts: Buffer[] = [];
  for (let k = 0; k < 1 + Math.random() * 6; k++) { const t = 'QPBDECSHdcfQPBE'[Math.floor(Math.random() * 15)]!; 
    const body = Math.random() < 0.3 ? Buffer.from(['select 1\0', 'begin\0', '\0select $1::int\0\0\0', 'Sx\0', '\0\0\0\0\0\0\0\0', '\0\0\0\0\0'][Math.floor(Math.random() * 6)]!) : randomBytes(Math.floor(Math.random() * 40)); parts.push(frame(t, body)); }
  if (Math.random() < 0.7) parts.push(frame('S', Buffer.alloc(0)));
  const last = parts.map((p) => p.toString('latin1')).join('|');
  s.write(Buffer.concat(parts));
  await new Promise((r) => setTimeout(r, 3)); s.destroy();
  const r = await Promise.race([db.query('select 1 as one'), new Promise((_, j) => setTimeout(() => j(new Error('stuck')), 5000))]).catch((e) => e) as any;
  if (r?.rows?.[0]?.one !== 1) { console.log('round', i, r, JSON.stringify(last)); break; }
  if (i % 100 === 0) console.log(i);
}
console.log('done');
for (const sql of ['select ' + '('.repeat(50000) + '1' + ')'.repeat(50000), 'select ' + '1+'.repeat(200000) + '1', 'with recursive t as (select 1 as a union all select a+1 from t where a < 300000) select count(*) from t', "do $$ begin perform pg_sleep(0.1); raise exception 'x'; end $$", 'vacuum', 'checkpoint', 'reindex database postgres', "select pg_reload_conf()", 'create function f() returns int language sql as $$ select f() $$; select f()', 'listen x; notify x', 'load \'nothing\'', 'create database other', 'alter system set max_connections=5','discard all',"copy (select 1) to program 'ls'"]) {
  const t = Date.now(); const r = await db.query(sql).then((x) => 'ok ' + x.rowCount, (e) => `${e.code} ${String(e.message).slice(0, 100)}`); console.log(sql.slice(0, 50), '->', r, Date.now() - t);
  const again = await Promise.race([db.query('select 1 as one').then(() => 'alive', (e) => e.message), new Promise((r) => setTimeout(() => r('stuck'), 5000))]); if (again !== 'alive') { console.log('AFTER', again); break; }
}
process.exit(0);
