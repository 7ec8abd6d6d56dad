import { createStreams } from '@millrace/streams';
import { connectRedis } from '@millrace/redis';
import { OutboxRelay } from '@millrace/outbox';
import { openDatabase } from './relay-databases.js';
import { topics } from './topics.js';

/** A process with one relay: it writes `ready`, ends when it is told to, and is killed by tests. */
const [redisUrl = '', databaseUrl = '', options = '{}'] = process.argv.slice(2);
const redis = await connectRedis({ url: redisUrl, name: 'relay' });
const streams = createStreams({ redis, prefix: 'outbox', leaseMs: 15_000 });
const database = await openDatabase(databaseUrl);
for (const topic of topics.values()) await streams.declare(topic);
const relay = new OutboxRelay(
  { source: database.source, ports: { publish: streams, topicOf: (name) => topics.get(name) } },
  { listen: databaseUrl, ...(JSON.parse(options) as object) },
);
relay.start();
console.log('ready');
process.stdin.ref().on('data', (line: Buffer) => {
  const state = { listening: relay.isListening, problem: relay.problem(), cpu: process.cpuUsage() };
  const answer = JSON.stringify({ ...relay.stats, ...state });
  for (const asked of line.toString().match(/stats/g) ?? []) if (asked) console.log(answer);
});
