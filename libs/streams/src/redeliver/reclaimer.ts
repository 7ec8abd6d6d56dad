import { emit } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { Dispatcher } from '../consume/dispatcher.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { Intake } from '../consume/intake.js';
import type { ReadEntry } from '../consume/work.js';
import type { EntryFields } from '../log/entry.js';

const reclaim = loadScript('../scripts/reclaim.lua', import.meta.url);
const forgetMembers = loadScript('../scripts/forget-members.lua', import.meta.url);

/** Entries looked at in one call: a larger page would hold Redis up (a million pending: 0.7 ms for 100, 77 ms for all). */
const PAGE = 100;
/** Silent this many leases, and holding nothing, a member is forgotten. */
const FORGET_AFTER_LEASES = 2;

export interface ReclaimerParts {
  readonly redis: RedisConnection;
  readonly member: string;
  readonly leaseMs: number;
  readonly partitions: readonly GroupPartition[];
  readonly held: HeldEntries;
  readonly dispatcher: Dispatcher;
  readonly intake: Intake;
}

/**
 * Takes over what members that vanished have left, three times a lease. It runs in the fetcher's turn, never beside a
 * read: what this member owns but does not hold was given to it in a reply that it never got.
 */
export class Reclaimer {
  readonly intervalMs: number;
  readonly #parts: ReclaimerParts;
  /** Where to go on in a stream: starting at the beginning each time would never reach the end. */
  readonly #after = new Map<GroupStream, string>();
  #dueAt = 0;

  constructor(parts: ReclaimerParts) {
    this.#parts = parts;
    this.intervalMs = Math.max(50, Math.floor(parts.leaseMs / 3));
  }

  get isDue(): boolean {
    return performance.now() >= this.#dueAt;
  }

  makeDue(): void {
    this.#dueAt = 0;
  }

  /** Looks through every stream until the end, or until no slot is free; then it stays due and goes on from there. */
  sweep(): Promise<void> {
    return this.#parts.dispatcher.gather(() => this.#sweepAll());
  }

  async #sweepAll(): Promise<void> {
    for (const partition of this.#parts.partitions) {
      for (const stream of partition.streams) if (!(await this.#sweepStream(stream))) return;
      await this.#forgetSilent(partition);
    }
    this.#dueAt = performance.now() + this.intervalMs;
  }

  async #sweepStream(stream: GroupStream): Promise<boolean> {
    while (this.#parts.dispatcher.freeSlots > 0) {
      const readAt = this.#parts.held.moment();
      const [next, ...found] = await this.#page(stream);
      this.#tell(stream, await this.#parts.intake.take(stream, readEntries(found), readAt));
      this.#after.set(stream, next);
      if (next === '-') return true;
    }
    return false;
  }

  async #page(stream: GroupStream): Promise<[string, ...unknown[]]> {
    const { redis, member, leaseMs, dispatcher, held } = this.#parts;
    const keys = [stream.key, stream.partition.groupKeys.members, stream.partition.groupKeys.stats];
    const args = [stream.partition.group, member, leaseMs, this.#after.get(stream) ?? '-', PAGE, dispatcher.freeSlots, ...held.idsIn(stream)];
    return (await redis.run(reclaim, keys, args)) as [string, ...unknown[]];
  }

  async #forgetSilent({ keys, groupKeys, streams, group }: GroupPartition): Promise<void> {
    const silentMs = this.#parts.leaseMs * FORGET_AFTER_LEASES;
    await this.#parts.redis.run(forgetMembers, [groupKeys.members, keys.log, streams[1].key], [group, silentMs, '']);
  }

  #tell(stream: GroupStream, count: number): void {
    const { topic, partition, group } = stream.partition;
    if (count > 0) emit('reclaimed', { topic, partition, group, count });
  }
}

function readEntries(found: readonly unknown[]): ReadEntry[] {
  const entries: ReadEntry[] = [];
  for (let i = 0; i + 2 < found.length; i += 3) {
    entries.push({ id: String(found[i]), deliveryCount: Number(found[i + 1]), fields: found[i + 2] as EntryFields });
  }
  return entries;
}
