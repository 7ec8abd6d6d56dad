import { newMessageId, topicOf } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { GroupPartition } from '../../src/consume/group-partition.js';
import { ForwardLog } from '../../src/forward/forward-log.js';
import { ForwardSender } from '../../src/forward/forward-sender.js';
import type { forwardedOf } from '../../src/forward/forward-text.js';
import { PartitionCounts } from '../../src/log/partition-counts.js';
import { TopicLog } from '../../src/log/topic-log.js';
import { packingOf } from '../../src/publish/packing.js';
import { TopicTender } from '../../src/retain/topic-tender.js';
import type { Process } from '../fixture.js';
import { B } from './stages.js';

export interface OwnParts {
  readonly log: ForwardLog;
  readonly sender: ForwardSender;
}

interface Sight {
  readonly place: GroupPartition;
  /** Redis, as the sender sees it. Default: as it is */
  readonly seen?: Topology;
}

/** The parts by which one sender reads a forward log and sends what it holds. */
export function partsOf({ redis }: Process, prefix: string, { place, seen = redis }: Sight): OwnParts {
  const counts = new PartitionCounts();
  const log = new TopicLog(redis, prefix, counts);
  const tender = new TopicTender({ redis, prefix, log, counts });
  const publisher = { publish: () => Promise.reject(new Error('nothing has an idempotency key')) };
  const sender = new ForwardSender({ redis: seen, prefix, log, counts, tender, packing: packingOf(undefined), publisher });
  sender.topics.add(topicOf(B));
  return { log: new ForwardLog({ redis: seen }, place), sender };
}

/** As `settle.lua` adds an entry. KEYS: control, forward log. ARGV: the lane, the name of the entry, its text. */
export const ADD = "redis.call('HSET', KEYS[1], 'lane:0', ARGV[1]) redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])";

/** A message for stage b. */
export function forwardOf(value: number): Parameters<typeof forwardedOf>[0][number] {
  const rest = { idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
  const message = { ...rest, id: newMessageId(), key: String(value), payloadJson: JSON.stringify({ value }) };
  return { kind: 'message', topic: topicOf(B), message, sendOptions: undefined };
}
