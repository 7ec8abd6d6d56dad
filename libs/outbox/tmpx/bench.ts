import { TypeScriptChild } from '@millrace/testing';
import { connectDatabase, findDatabase, SqlInbox } from '../src/index.js';
const which = process.argv[2];
const running = which === 'pg' ? { url: 'postgres://postgres@127.0.0.1:5432/test', stop: async () => {} } : await findDatabase({ env: {} });
const db = await connectDatabase({ url: running.url });
await db.query('drop table if exists millrace_inbox, stock, sales');
await new SqlInbox({ database: db }).prepare();
await db.query('create table stock(sku text primary key, n int); create table sales(country text primary key, amount numeric)');
for (const [procs, conc] of [[1, 1], [1, 8], [4, 1], [4, 4]] as const) {
  await db.query('truncate millrace_inbox, stock, sales');
  const per = 2000 / procs;
  const cs = Array.from({ length: procs }, (_, i) => new TypeScriptChild(new URL('./client.ts', import.meta.url), { args: [running.url, `p${i}`, String(per), String(conc)] }));
  for (const c of cs) await c.line();
  const t = performance.now();
  cs.forEach((c) => c.process.stdin.write('go\n'));
  const outs = await Promise.all(cs.map(async (c) => JSON.parse(await c.line())));
  const ms = performance.now() - t;
  const { rows } = await db.query<{ n: string; m: string }>('select (select sum(n) from stock)::text n, (select count(*) from millrace_inbox)::text m');
  console.log(which, `${procs} processes x ${conc} connections: ${(2000 / ms * 1000).toFixed(0)} tx/s, p50 ${outs[0].p50.toFixed(1)} p99 ${outs[0].p99.toFixed(1)}`, rows[0], 'rss', (process.memoryUsage().rss / 1e6).toFixed(0));
}
await db.query('drop table millrace_inbox, stock, sales');
await db.close(); await running.stop(); process.exit(0);
