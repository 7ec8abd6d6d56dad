import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection, redisFailure } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';

const heartbeat = loadScript('../scripts/heartbeat.lua', import.meta.url);
const forgetMembers = loadScript('../scripts/forget-members.lua', import.meta.url);

export interface HeartbeatParts {
  readonly redis: RedisConnection;
  readonly member: string;
  readonly leaseMs: number;
  readonly partitions: readonly GroupPartition[];
  readonly held: HeldEntries;
  readonly recover: (partition: GroupPartition) => Promise<void>;
}

/** Says three times a lease that this member lives, and renews all that it holds, what waits for a slot included. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #loop: Loop;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    const { topic, group } = parts.partitions[0]!;
    this.#loop = new Loop({
      name: 'heartbeat',
      round: async () => {
        await this.beat();
        return Math.floor(parts.leaseMs / 3);
      },
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'heartbeat', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** One beat in every partition. The first must come before the first read: whoever never beat counts as vanished. */
  async beat(): Promise<void> {
    await Promise.all(this.#parts.partitions.map((partition) => this.beatIn(partition)));
  }

  /** Says goodbye, so that nobody waits for this member; what it still holds keeps its lease. */
  async leave(): Promise<void> {
    const { redis, member, partitions } = this.#parts;
    await Promise.all(
      partitions.map(({ groupKeys, keys, streams, group }) =>
        redis.run(forgetMembers, [groupKeys.members, keys.log, streams[1].key], [group, 0, member]),
      ),
    );
  }

  async beatIn(partition: GroupPartition): Promise<void> {
    const { redis, member, held } = this.#parts;
    const beganAt = performance.now();
    const entries = held.in(partition);
    const args = entries.flatMap((entry) => [entry.stream.kind === 'log' ? 2 : 3, entry.id, entry.deliveryCount]);
    const { members, retryLog, stats } = partition.groupKeys;
    const keys = [members, partition.keys.log, retryLog, stats];
    const beaten = redis.run(heartbeat, keys, [partition.group, member, ...args]);
    const reply = String(await beaten.catch((error: unknown) => this.#failed(partition, error)));
    entries.forEach((entry, index) => {
      if (reply[index] === 'L') held.lost(entry);
      else entry.renewedAt = beganAt;
    });
  }

  async #failed(partition: GroupPartition, error: unknown): Promise<never> {
    if (redisFailure(error, 'heartbeat').kind === 'state-lost') await this.#parts.recover(partition);
    throw error;
  }
}
