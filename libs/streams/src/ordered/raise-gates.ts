import { asError, emit, errorRecord } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../consume/group-partition.js';
import { pagesOf } from '../log/pages.js';
import { allTurns, turnOf } from '../log/turns.js';

const lookDrained = loadScript('../scripts/look-drained.lua', import.meta.url);

/** Most partitions in one call. */
const MOST_PARTITIONS = 64;

export interface RaiseGatesParts {
  readonly redis: Topology;
  readonly prefix: string;
  /** One partition of the group. */
  readonly place: GroupPartition;
}

/**
 * Raises of the number of partitions, as one member of an ordered group knows them: what was published after a raise is not read
 * before the group has settled all from before it, in all partitions.
 */
export class RaiseGates {
  readonly #parts: RaiseGatesParts;
  #passed = 0;
  #isLooking = false;
  /** Grows with each {@link reset}. */
  #round = 0;

  constructor(parts: RaiseGatesParts) {
    this.#parts = parts;
  }

  /** The number of partitions of the last raise before which the group has settled all; 0 for none. */
  get passed(): number {
    return this.#passed;
  }

  /** The group may be given again what it had settled: it is looked at anew. */
  reset(): void {
    this.#round += 1;
    this.#passed = 0;
  }

  /** Looks whether the group has settled all from before a raise, `<from> <to>`. It never rejects: whoever waits asks again. */
  async look(raise: string): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const round = this.#round;
    const [from = 0, to = 0] = raise.split(' ').map(Number);
    try {
      const isSettled = await this.#isSettled(from, to);
      if (isSettled && round === this.#round) this.#passed = Math.max(this.#passed, to);
    } catch (error) {
      const { topic, group } = this.#parts.place;
      emit('loop-failed', { topic, group, loop: 'look-drained', error: errorRecord(asError(error)), failures: 1 });
    } finally {
      this.#isLooking = false;
    }
  }

  async #isSettled(from: number, to: number): Promise<boolean> {
    const { redis, prefix, place } = this.#parts;
    const { topic, group } = place;
    const old = Array.from({ length: from }, (_, partition) => groupPartition(prefix, { topic, partition }, group));
    const pages = pagesOf(old, MOST_PARTITIONS, ({ keys }) => redis.publishFor(keys.log));
    const answers = await allTurns(pages.map(async ({ redis: connection, partitions }) => {
      const keys = partitions.flatMap((one) => [one.keys.meta, one.keys.log, one.groupKeys.open, one.groupKeys.parkedKeys]);
      return (await connection.run(lookDrained, keys, [group, to])) as (number | string)[];
    }));
    return answers.flat().every((answer) => turnOf(answer, 'look-drained') === 1);
  }
}
