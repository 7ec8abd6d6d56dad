import { createStreams } from '@millrace/streams';
import { connectRedis } from '@millrace/redis';
import { connectDatabase, OutboxRelay } from '@millrace/outbox';
import { topics } from './topics.js';

/** A process with one relay: it writes `ready`, ends when it is told to, and is killed by tests. */
const [redisUrl = '', databaseUrl = '', options = '{}'] = process.argv.slice(2);
const redis = await connectRedis({ url: redisUrl, name: 'relay' });
const streams = createStreams({ redis, prefix: 'outbox', leaseMs: 15_000 });
const database = await connectDatabase({ url: databaseUrl });
for (const topic of topics.values()) await streams.declare(topic);
const relay = new OutboxRelay(
  { source: database, ports: { publish: streams, topicOf: (name) => topics.get(name) } },
  { listen: databaseUrl, ...(JSON.parse(options) as object) },
);
relay.start();
console.log('ready');
process.stdin.ref().on('data', (line: Buffer) => {
  const answer = JSON.stringify({ ...relay.stats, listening: relay.isListening, problem: relay.problem() });
  for (const asked of line.toString().match(/stats/g) ?? []) if (asked) console.log(answer);
});
