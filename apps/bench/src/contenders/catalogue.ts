import { bareLoop } from './bare-loop.js';
import { bullmq } from './bullmq.js';
import type { Contender, Kind, Spec } from './contender.js';
import { jetstream } from './jetstream.js';
import { millraceCalls } from './millrace-calls.js';
import { millraceJobs } from './millrace-jobs.js';
import { transportCalls, transportEvents } from './millrace-transport.js';
import { millrace } from './millrace.js';
import { nestCalls } from './nest-calls.js';
import { nestRedis } from './nest-redis.js';
import { pubSub } from './pub-sub.js';
import { rabbitmq } from './rabbitmq.js';

export const CONTENDERS: Readonly<Record<Kind, Contender>> = {
  'bare-loop': bareLoop,
  'pub-sub': pubSub,
  'nest-redis': nestRedis,
  jetstream,
  rabbitmq,
  bullmq,
  millrace,
  'millrace-jobs': millraceJobs,
  'millrace-calls': millraceCalls,
  'nest-calls': nestCalls,
  'transport-calls': transportCalls,
  'transport-events': transportEvents,
};

const BYTES = 200;
const LARGE = 10_240;

/** Those that are measured side by side. */
export const SPECS: readonly Spec[] = [
  { name: 'bare loop', kind: 'bare-loop', bytes: BYTES },
  { name: 'raw pub/sub', kind: 'pub-sub', bytes: BYTES },
  { name: 'nest redis', kind: 'nest-redis', bytes: BYTES },
  { name: 'jetstream', kind: 'jetstream', bytes: BYTES },
  { name: 'rabbitmq', kind: 'rabbitmq', bytes: BYTES },
  { name: 'bullmq', kind: 'bullmq', bytes: BYTES },
  { name: 'millrace', kind: 'millrace', bytes: BYTES },
  { name: 'millrace 4 partitions', kind: 'millrace', bytes: BYTES, millrace: { partitions: 4 } },
  { name: 'millrace 16 partitions', kind: 'millrace', bytes: BYTES, millrace: { partitions: 16 } },
  { name: 'millrace ordered', kind: 'millrace', bytes: BYTES, millrace: { partitions: 4, ordered: true } },
  { name: 'millrace key', kind: 'millrace', bytes: BYTES, millrace: { keyed: true } },
  { name: 'millrace ledger', kind: 'millrace', bytes: BYTES, millrace: { ledger: true } },
  { name: 'millrace publishMany', kind: 'millrace', bytes: BYTES, millrace: { many: true } },
  { name: 'millrace jobs', kind: 'millrace-jobs', bytes: BYTES },
  { name: 'nest calls', kind: 'nest-calls', bytes: BYTES, callers: 1 },
  { name: 'millrace calls', kind: 'millrace-calls', bytes: BYTES, callers: 1 },
  { name: 'nest calls of 2', kind: 'nest-calls', bytes: BYTES, callers: 2 },
  { name: 'millrace calls of 2', kind: 'millrace-calls', bytes: BYTES, callers: 2 },
  { name: 'transport calls', kind: 'transport-calls', bytes: BYTES, callers: 1 },
  { name: 'transport calls of 2', kind: 'transport-calls', bytes: BYTES, callers: 2 },
  { name: 'transport events', kind: 'transport-events', bytes: BYTES },
  { name: 'bare loop 10 KB', kind: 'bare-loop', bytes: LARGE },
  { name: 'jetstream 10 KB', kind: 'jetstream', bytes: LARGE },
  { name: 'rabbitmq 10 KB', kind: 'rabbitmq', bytes: LARGE },
  { name: 'millrace 10 KB', kind: 'millrace', bytes: LARGE },
];
