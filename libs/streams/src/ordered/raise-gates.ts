import { asError, emit, errorRecord } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../consume/group-partition.js';
import { type Page, pagesOf } from '../log/pages.js';
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

/** For one partition: 1 when all from before the raise is settled, 0 when not; else where to look on among those put aside. */
type Answer = 0 | 1 | readonly [name: string];

/** `further`: the messages put aside are to be looked at from there on. */
type Seen = 'settled' | 'unsettled' | 'further';

/**
 * Raises of the number of partitions, as one member of an ordered group knows them: what was published after a raise is not read
 * before the group has settled all from before it, in all partitions.
 */
export class RaiseGates {
  readonly #parts: RaiseGatesParts;
  #passed = 0;
  #isLooking = false;
  /**
   * By raise and partition, where to look on among the messages put aside: none in front of it is from before the raise. After a
   * {@link reset} it is another map.
   */
  #names = new Map<string, string>();

  constructor(parts: RaiseGatesParts) {
    this.#parts = parts;
  }

  /** The number of partitions of the last raise before which the group has settled all; 0 for none. */
  get passed(): number {
    return this.#passed;
  }

  /** The group may be given again what it had settled: it is looked at anew. */
  reset(): void {
    this.#names = new Map();
    this.#passed = 0;
  }

  /** Looks whether the group has settled all from before a raise, `<from> <to>`. It never rejects: whoever waits asks again. */
  async look(raise: string): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const names = this.#names;
    const [from = 0, to = 0] = raise.split(' ').map(Number);
    try {
      const isSettled = await this.#isSettled(from, to);
      if (isSettled && names === this.#names) this.#passed = Math.max(this.#passed, to);
    } catch (error) {
      const { topic, group } = this.#parts.place;
      emit('loop-failed', { topic, group, loop: 'look-drained', error: errorRecord(asError(error)), failures: 1 });
    } finally {
      this.#isLooking = false;
    }
  }

  async #isSettled(from: number, to: number): Promise<boolean> {
    const { redis, prefix, place: { topic, group } } = this.#parts;
    const old = Array.from({ length: from }, (_, partition) => groupPartition(prefix, { topic, partition }, group));
    const pages = pagesOf(old, MOST_PARTITIONS, ({ keys }) => redis.publishFor(keys.log));
    for (;;) {
      const seen = await allTurns(pages.map((page) => this.#lookAt(page, to)));
      const all = seen.flat();
      if (!all.includes('further')) return all.every((one) => one === 'settled');
    }
  }

  async #lookAt({ redis, partitions }: Page<GroupPartition>, to: number): Promise<Seen[]> {
    const names = this.#names;
    const ids = partitions.map(({ partition }) => `${to} ${partition}`);
    const keys = partitions.flatMap((one) => [one.keys.meta, one.keys.log, one.groupKeys.open, one.groupKeys.parked]);
    const args = [partitions[0]!.group, to, ...ids.map((id) => names.get(id) ?? '')];
    const answers = (await redis.run(lookDrained, keys, args)) as Answer[];
    return answers.map((answer, index) => seenIn(turnOf(answer, 'look-drained'), ids[index]!, names));
  }
}

function seenIn(answer: Answer, id: string, names: Map<string, string>): Seen {
  if (answer === 1) return 'settled';
  const name = answer === 0 ? '' : answer[0];
  const isFurther = name !== '' && name !== names.get(id);
  names.set(id, name);
  return isFurther ? 'further' : 'unsettled';
}
