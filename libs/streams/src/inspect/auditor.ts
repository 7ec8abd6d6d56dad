import { emit, errorRecord, Loop, spread } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition } from '../consume/group-partition.js';
import type { Membership } from '../group/membership.js';
import { type Page, pagesOf } from '../log/pages.js';
import { allTurns, turnOf } from '../log/turns.js';

const audit = loadScript('../scripts/audit.lua', import.meta.url);

const LOOK_EVERY_MS = 5_000;
/** Most partitions in one call, which looks at up to a thousand entries of each. */
const MOST_PARTITIONS = 16;

export interface AuditorParts {
  readonly redis: Topology;
  readonly leaseMs: number;
  readonly idlePauseMs: number;
  readonly places: readonly GroupPartition[];
  /** Decides whether this member audits a partition. */
  readonly membership: Membership;
  readonly feedback: Pick<Feedback, 'recover' | 'isIdle'>;
}

/** Finds messages that have gone from Redis before the group was done with them: a gap in the offsets is a loss. */
export class Auditor {
  readonly #parts: AuditorParts;
  readonly #loop: Loop;

  constructor(parts: AuditorParts) {
    this.#parts = parts;
    const { topic, group } = parts.places[0]!;
    this.#loop = new Loop({
      name: 'audit',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'audit', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #round(): Promise<number> {
    const { redis, places, membership, feedback, leaseMs, idlePauseMs } = this.#parts;
    const tended = places.filter((partition) => membership.tends(partition));
    const pages = pagesOf(tended, MOST_PARTITIONS, ({ keys }) => redis.controlFor(keys.log));
    await allTurns(pages.map((page) => this.#audit(page)));
    return spread(feedback.isIdle ? idlePauseMs : Math.min(LOOK_EVERY_MS, leaseMs));
  }

  async #audit({ redis, partitions }: Page<GroupPartition>): Promise<void> {
    const keys = partitions.flatMap(auditKeysOf);
    const lost = (await redis.run(audit, keys, partitions.map(({ group }) => group))) as (number | string)[];
    partitions.forEach((partition, index) => report(partition, Number(lost[index])));
    await allTurns(partitions.map((partition, index) => this.#audited(partition, lost[index]!)));
  }

  async #audited(partition: GroupPartition, reply: number | string): Promise<void> {
    if (turnOf(reply, 'audit') === 'UNDECLARED') await this.#parts.feedback.recover(partition);
  }
}

/** The keys that `audit.lua` needs of a partition. */
export function auditKeysOf({ keys: { log, meta, groups }, groupKeys }: GroupPartition): string[] {
  const { stats, open, due, again, body, control } = groupKeys;
  return [log, meta, groups, stats, open, due, again, body, control];
}

function report({ topic, partition, group }: GroupPartition, count: number): void {
  if (count > 0) emit('lost', { topic, partition, group, count, why: 'gone from Redis before this group was done with them' });
}
