/**
 * Every key of a partition carries the hash tag `{topic:partition}`, so that a script may touch all of them in a Redis
 * Cluster. Names hold no `:`, `{` or `}`; no key is put together anywhere else.
 */
export interface PartitionKeys {
  /** Stream of entries. */
  readonly log: string;
  /** Hash: `generation`, `next` (the next offset). */
  readonly meta: string;
  /** Hash: group -> the offset at which it started. */
  readonly groups: string;
  /** Two hashes of idempotency keys, for the current and the previous window in turn. */
  readonly ids: readonly [string, string];
}

export interface GroupKeys {
  /** Stream of messages that are due for another attempt. */
  readonly retryLog: string;
  /** Sorted set: message waiting for another attempt -> when it is due, in Unix milliseconds. */
  readonly due: string;
  /** Stream of dead letters. */
  readonly dead: string;
  /** Hash of counters. */
  readonly stats: string;
  /** Sorted set: member -> its last heartbeat, in Unix milliseconds. */
  readonly members: string;
}

/** Offsets in one page of a group's settled bitmap: 8 KiB. An entry never crosses from one page into the next. */
export const SETTLED_PAGE_OFFSETS = 65_536;

/** Hash: `partitions`. */
export function topicKey(prefix: string, topic: string): string {
  return `${prefix}:{${topic}}:topic`;
}

export function partitionKeys(prefix: string, topic: string, partition: number): PartitionKeys {
  const base = partitionBase(prefix, topic, partition);
  return { log: `${base}:log`, meta: `${base}:meta`, groups: `${base}:groups`, ids: [`${base}:ids:0`, `${base}:ids:1`] };
}

/** Hash: `sequence` and `reply` of the last batch that this producer stored in this partition. */
export function producerKey(prefix: string, place: { topic: string; partition: number }, producerId: string): string {
  return `${partitionBase(prefix, place.topic, place.partition)}:producer:${producerId}`;
}

export function groupKeys(prefix: string, place: { topic: string; partition: number }, group: string): GroupKeys {
  const base = groupBase(prefix, place, group);
  return {
    retryLog: `${base}:retry`,
    due: `${base}:due`,
    dead: `${base}:dead`,
    stats: `${base}:stats`,
    members: `${base}:members`,
  };
}

/** Bitmap: which offsets of this page the group is done with in the log. */
export function settledKey(prefix: string, place: { topic: string; partition: number; group: string }, offset: number): string {
  return `${groupBase(prefix, place, place.group)}:settled:${Math.floor(offset / SETTLED_PAGE_OFFSETS)}`;
}

function partitionBase(prefix: string, topic: string, partition: number): string {
  return `${prefix}:{${topic}:${partition}}`;
}

function groupBase(prefix: string, place: { topic: string; partition: number }, group: string): string {
  return `${partitionBase(prefix, place.topic, place.partition)}:group:${group}`;
}
