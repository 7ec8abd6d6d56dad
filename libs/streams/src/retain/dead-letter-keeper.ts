import { type DeadLetterBounds, emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import { type GroupPartition, pagesOf } from '../consume/group-partition.js';
import type { Presence, Watcher } from '../group/presence.js';
import { NOBODY } from '../hook/untold-letters.js';
import { allTurns, turnOf } from '../log/turns.js';

const boundDeadLetters = loadScript('../scripts/bound-dead-letters.lua', import.meta.url);

/** While nothing is dead-lettered here, what others wrote or time has passed by is looked at so often. */
const LOOK_EVERY_MS = 60_000;
/** No more often than this, however many are dead-lettered. */
const PACE_MS = 1_000;
/** Looked at in one call, in each partition: more would hold Redis up. */
const MOST_REMOVED = 100;
const MOST_PARTITIONS = 16;

export interface DeadLetterKeeperParts {
  readonly redis: RedisConnection;
  readonly presence: Presence;
  readonly partitions: readonly GroupPartition[];
  readonly bounds: DeadLetterBounds;
  /** Whether this member tells a hook of dead letters. */
  readonly hasHook: boolean;
}

type Reply = [removed: number, untold: number, more: '0' | '1', ...consumers: string[]];

/** Keeps the dead letters of a group within their bounds: every member does, whoever comes first. */
export class DeadLetterKeeper implements Watcher {
  readonly onDeath = (): void => this.#loop.wake();
  readonly onReturn = (): void => undefined;
  readonly #parts: DeadLetterKeeperParts;
  readonly #loop: Loop;
  /** Members that tell the hook, as far as Redis knows; null before the first look. */
  #tellers: ReadonlySet<string> | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: DeadLetterKeeperParts) {
    this.#parts = parts;
    const { topic, group } = parts.partitions[0]!;
    this.#loop = new Loop({
      name: 'dead-letters',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'dead-letters', error: errorRecord(error), failures }),
    });
  }

  get watched(): ReadonlySet<string> {
    return this.#tellers ?? new Set();
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  /** There is a new dead letter. */
  wake(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    this.#parts.presence.unwatch(this);
    await this.#loop.stop();
  }

  async #round(): Promise<number> {
    const waitMs = this.#lookedAt + PACE_MS - performance.now();
    if (waitMs > 0) return waitMs;
    const isTold = this.#isTold();
    this.#lookedAt = performance.now();
    const pages = pagesOf(this.#parts.partitions, MOST_PARTITIONS);
    const replies = (await allTurns(pages.map((page) => this.#bound(page, isTold)))).flat();
    const isKnown = this.#tellers !== null;
    this.#tellers = new Set(replies.flatMap(([, , , ...consumers]) => consumers).filter((name) => name !== NOBODY));
    if (isKnown && replies.every(([, , more]) => more === '0')) return LOOK_EVERY_MS;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    return 0;
  }

  /** Whoever is not known to be gone may tell still. */
  #isTold(): boolean {
    const { hasHook, presence } = this.#parts;
    return hasHook || !this.#tellers || [...this.#tellers].some((member) => presence.fateOf(member) === 'living');
  }

  async #bound(partitions: readonly GroupPartition[], isTold: boolean): Promise<Reply[]> {
    const { maxAgeMs, maxMessages, maxBytes } = this.#parts.bounds;
    const keys = partitions.flatMap(({ groupKeys: { dead, stats } }) => [dead, stats]);
    const args = [maxAgeMs, maxMessages, maxBytes, MOST_REMOVED, isTold ? '1' : '0'];
    const replies = (await this.#parts.redis.run(boundDeadLetters, keys, args)) as Reply[];
    partitions.forEach((partition, index) => tell(partition, replies[index]!));
    return replies.map((reply) => turnOf(reply, 'bound-dead-letters'));
  }
}

function tell({ topic, partition, group }: GroupPartition, reply: Reply | string): void {
  if (typeof reply === 'string') return;
  const [count, untold] = reply;
  if (count > 0) emit('dead-letters-dropped', { topic, partition, group, count, untold });
}
