import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { it } from '@jest/globals';
import { connectDatabase, databaseSource, Outbox } from '@millrace/outbox';
import { startTestPostgres, startTestRedis, TypeScriptChild, waitFor } from '@millrace/testing';
import { Loose, Steps } from './topics.js';

const ticks = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parts = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parts[11]) + Number(parts[12]) + Number(parts[13]) + Number(parts[14]);
  } catch {
    return 0;
  }
};
const pgTicks = (pid: number): number => {
  const children = execFileSync('pgrep', ['-P', String(pid)]).toString().trim().split('\n').map(Number);
  return ticks(pid) + children.reduce((sum, child) => sum + ticks(child), 0);
};

it('measures', async () => {
  const [pg, redis] = [await startTestPostgres(), await startTestRedis()];
  const database = await connectDatabase({ url: pg.url });
  const outbox = new Outbox({ source: databaseSource(database) });
  await outbox.prepare();
  const rows = Number(process.env['MILLRACE_TEST_ROWS'] ?? 50_000);
  const filling = 'x'.repeat(160);
  for (const keys of (process.env['MILLRACE_TEST_KEYS'] ?? '0,200,1').split(',').map(Number)) {
    for (const options of JSON.parse(process.env['MILLRACE_TEST_OPTIONS'] ?? '[{}]') as object[]) {
      const begun = performance.now();
      for (let from = 0; from < rows; from += 1_000) {
        const items = Array.from({ length: 1_000 }, (_, at) => ({ payload: { key: keys ? `key${(from + at) % keys}` : '', step: from + at, filling } }));
        await database.transaction((tx) => outbox.publishAll(tx, keys ? Steps : Loose, items));
      }
      const inserted = performance.now() - begun;
      await database.query('VACUUM ANALYZE millrace_outbox');
      const before = { pg: pgTicks(pg.pid), redis: ticks(redis.pid) };
      const relay = new TypeScriptChild(new URL('./relay-process.ts', import.meta.url), { args: [redis.url, pg.url, JSON.stringify(options)] });
      await relay.line();
      const start = performance.now();
      await waitFor(async () => {
        relay.tell('stats');
        return (JSON.parse(await relay.line()) as { published: number }).published >= rows;
      }, { what: 'all', timeoutMs: 300_000 });
      const took = performance.now() - start;
      const cpu = ticks(relay.process.pid!) ;
      const after = { pg: pgTicks(pg.pid), redis: ticks(redis.pid) };
      console.log(JSON.stringify({ keys, options, rows, insertPerSecond: Math.round(rows / inserted * 1000), perSecond: Math.round(rows / took * 1000),
        usRelay: Math.round(cpu * 10_000 / rows), usPg: Math.round((after.pg - before.pg) * 10_000 / rows), usRedis: Math.round((after.redis - before.redis) * 10_000 / rows) }));
      await relay.kill();
    }
  }
  await database.close();
  await pg.stop();
  await redis.stop();
}, 550_000);
