import { MillraceError, type TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { DeadLetterReason } from '../consume/settlement.js';
import { groupKeys, partitionKeys } from '../keys.js';
import { partitionsOf } from '../log/topic-log.js';

const inspect = loadScript('../scripts/inspect.lua', import.meta.url);

/** Where a group stands on a topic, summed over its partitions; all are messages. */
export interface GroupState {
  /** Handled in the end, counting those that were deduplicated or discarded. */
  readonly handled: number;
  /** Of the handled ones: known to the inbox, so that the handler did not run again. */
  readonly deduplicated: number;
  /** Of the handled ones: refused by the handler on purpose. */
  readonly discarded: number;
  /** Entries taken over from members that vanished; an entry carries one message unless publishes are packed. */
  readonly redelivered: number;
  /** Attempts that failed and were scheduled again. */
  readonly retried: number;
  readonly deadLettered: number;
  /** Settlements that were refused because the message belonged to another member. */
  readonly fenced: number;
  /** Published since the group started and neither handled nor dead-lettered yet. */
  readonly lag: number;
  /** Of the lag: entries in some member's hands. */
  readonly pending: number;
  /** Of the lag: waiting for their next attempt. */
  readonly retrying: number;
}

export interface DeadLetterRecord extends DeadLetterReason {
  /** Id of the dead letter in its stream. */
  readonly id: string;
  /** The message exactly as it was stored. */
  readonly envelope: string;
}

const COUNTERS = ['settled', 'handled', 'deduplicated', 'discarded', 'redelivered', 'retried', 'deadLettered', 'fenced'] as const;
type Counters = Record<(typeof COUNTERS)[number], number>;

/** Looks at topics and groups; changes nothing. */
export class Inspector {
  readonly #redis: RedisConnection;
  readonly #prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** @throws MillraceError UNKNOWN_GROUP when the group never subscribed to the topic */
  async group(topic: TopicDefinition, group: string): Promise<GroupState> {
    const places = partitionsOf(topic).map((partition) => ({ topic: topic.name, partition }));
    const states = await Promise.all(places.map((place) => this.#partition(place, group)));
    return states.reduce(sum);
  }

  /** The oldest dead letters of a group, up to `limit` a partition. */
  async deadLetters(topic: TopicDefinition, group: string, limit = 100): Promise<DeadLetterRecord[]> {
    const places = partitionsOf(topic).map((partition) => ({ topic: topic.name, partition }));
    const pages = await Promise.all(places.map((place) => this.#deadLettersIn(place, group, limit)));
    return pages.flat();
  }

  async #deadLettersIn(place: { topic: string; partition: number }, group: string, limit: number): Promise<DeadLetterRecord[]> {
    const { dead } = groupKeys(this.#prefix, place, group);
    const entries = (await this.#redis.call('XRANGE', dead, '-', '+', 'COUNT', limit)) as [string, string[]][];
    return entries.map(([id, [, envelope = '', , reason = '{}']]) => ({ ...(JSON.parse(reason) as DeadLetterReason), id, envelope }));
  }

  /** At one moment: a message that is published and settled between two looks would make the lag negative. */
  async #partition(place: { topic: string; partition: number }, group: string): Promise<GroupState> {
    const { meta, groups, log } = partitionKeys(this.#prefix, place.topic, place.partition);
    const { stats, due, retryLog } = groupKeys(this.#prefix, place, group);
    const reply = await this.#redis.run(inspect, [meta, groups, stats, due, log, retryLog], [group, ...COUNTERS]);
    const [next, start, pending, retrying, ...counters] = reply as [number, string | null, number, number, ...number[]];
    if (start === null) throw unknownGroup(place.topic, group);
    const { settled, ...counts } = countersOf(counters);
    return { ...counts, lag: next - Number(start) - settled, pending, retrying };
  }
}

function countersOf(values: readonly number[]): Counters {
  return Object.fromEntries(COUNTERS.map((name, index) => [name, values[index] ?? 0])) as Counters;
}

function sum(a: GroupState, b: GroupState): GroupState {
  const names = Object.keys(a) as (keyof GroupState)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as GroupState;
}

function unknownGroup(topic: string, group: string): MillraceError {
  return new MillraceError('UNKNOWN_GROUP', `No group '${group}' has ever subscribed to topic '${topic}' here.`);
}
