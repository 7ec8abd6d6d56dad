import { connectDatabase, findDatabase } from '../src/index.js';
const mode = process.argv[2];
const r = await findDatabase({ env: {} });
const db = await connectDatabase({ url: r.url });
if (mode === 'crash') { await db.query('CREATE FUNCTION deep() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'); await db.query('CREATE OR REPLACE FUNCTION deep() RETURNS int LANGUAGE sql AS $$ SELECT deep() $$'); await db.query('select deep()').catch((e) => console.log(e.message)); await db.query('select 1').catch((e) => console.log(e.message)); }
if (mode === 'file') await findDatabase({ env: {}, dataDir: '/etc/hosts/x' }).catch((e) => console.log(e.message, '|', e.cause?.message));
await db.close(); await r.stop();
const t = Date.now(); process.on('exit', () => console.log(mode, 'exit after', Date.now() - t));
setTimeout(() => (globalThis as any).dumpTimers(), 300);
setTimeout(() => console.log(Date.now() - t, process.getActiveResourcesInfo()), 500).unref();
