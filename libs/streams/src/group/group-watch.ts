import { emit, errorRecord, Loop, spread } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition } from '../consume/group-partition.js';
import type { ReadHistory } from '../consume/read-history.js';
import { OWNER } from '../own/owner-consumer.js';
import type { Membership } from './membership.js';

const watchGroup = loadScript('../scripts/watch-group.lua', import.meta.url);

/** How often to look while the group is paused or busy; while it is idle it relies on the rings of operators. */
const LOOK_EVERY_MS = 500;
/** While this member puts a pause into effect, somebody waits for it. */
const LOOK_SOON_MS = 50;

export interface GroupWatchParts {
  readonly redis: Topology;
  readonly member: string;
  readonly membership: Membership;
  readonly idlePauseMs: number;
  readonly places: readonly GroupPartition[];
  readonly partitions: readonly { readonly history: Pick<ReadHistory, 'learn'> }[];
  readonly feedback: Pick<Feedback, 'groupPaused' | 'groupResumed' | 'membersChanged' | 'raised' | 'isIdle'>;
}

/** Looks for orders of operators to the group, carries them out, and reports that. */
export class GroupWatch {
  readonly #parts: GroupWatchParts;
  readonly #loop: Loop;
  /** The pause in force, or ''; null before the first look. */
  #pause: string | null = null;
  /** The pause that has been put into effect. */
  #quiet = '';

  constructor(parts: GroupWatchParts) {
    this.#parts = parts;
    const { topic, group } = parts.places[0]!;
    this.#loop = new Loop({
      name: 'watch',
      round: () => this.look(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'watch', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** An operator has rung, or rings may have been missed. */
  wake(): void {
    this.#loop.wake();
  }

  /** @returns milliseconds until the next look */
  async look(): Promise<number> {
    const { redis, member, membership, places, feedback } = this.#parts;
    const [{ group, keys, groupKeys }] = places as [GroupPartition];
    const ownKeys = [groupKeys.control, keys.log, keys.meta];
    const reply = await redis.publishFor(keys.log).run(watchGroup, ownKeys, [group, member, this.#quiet]);
    const [pause, partitions, ...members] = reply as [string, string, ...string[]];
    if (membership.learn(members.filter((name) => name !== OWNER))) feedback.membersChanged();
    if (Number(partitions) > places.length) feedback.raised();
    if (pause !== this.#pause) await this.#change(pause);
    return pause === '' ? this.#untilNextMs : this.#quiet === pause ? LOOK_EVERY_MS : LOOK_SOON_MS;
  }

  get #untilNextMs(): number {
    const { feedback, idlePauseMs } = this.#parts;
    return feedback.isIdle ? Math.max(LOOK_EVERY_MS, spread(idlePauseMs)) : LOOK_EVERY_MS;
  }

  /** A group is moved only while it is paused, so its replays are known before it goes on. */
  async #change(pause: string): Promise<void> {
    await Promise.all(this.#parts.partitions.map(({ history }) => history.learn()));
    const wasPaused = this.#pause !== null && this.#pause !== '';
    this.#pause = pause;
    this.#quiet = '';
    if (pause !== '') void this.#putIntoEffect(pause);
    else if (wasPaused) this.#parts.feedback.groupResumed();
  }

  async #putIntoEffect(pause: string): Promise<void> {
    await this.#parts.feedback.groupPaused();
    if (this.#pause === pause) this.#quiet = pause;
  }
}
