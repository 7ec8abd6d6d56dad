import { connectDatabase, SqlInbox } from '../src/index.js';
const [url, id, n, conc] = process.argv.slice(2) as [string, string, string, string];
const db = await connectDatabase({ url, connections: Number(conc) });
const inbox = new SqlInbox({ database: db });
console.log('ready');
await new Promise((r) => process.stdin.once('data', r));
let i = 0; const t = performance.now();
const lat: number[] = [];
await Promise.all(Array.from({ length: Number(conc) }, async () => {
  while (i < Number(n)) { const k = i++; const s = performance.now();
    await inbox.run('bench', `${id}-${k}`, async (tx) => {
      await tx.query('insert into stock(sku, n) values ($1, 1) on conflict (sku) do update set n = stock.n + 1', [`s${k % 50}`]);
      await tx.query('insert into sales(country, amount) values ($1, $2) on conflict (country) do update set amount = sales.amount + excluded.amount', [`c${k % 10}`, 1.5]);
    }); lat.push(performance.now() - s); }
}));
lat.sort((a, b) => a - b);
console.log(JSON.stringify({ ms: performance.now() - t, p50: lat[lat.length >> 1], p99: lat[Math.floor(lat.length * 0.99)] }));
await db.close(); process.exit(0);
