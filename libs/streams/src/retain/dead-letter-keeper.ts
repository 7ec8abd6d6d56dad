import { type DeadLetterBounds, emit, errorRecord, Loop, type Watcher } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { Presence } from '../group/presence.js';
import { NOBODY } from '../hook/unreported-letters.js';
import { type Page, pagesOf } from '../log/pages.js';
import { allTurns, turnOf } from '../log/turns.js';

const boundDeadLetters = loadScript('../scripts/bound-dead-letters.lua', import.meta.url);

/** Without new dead letters here, those of other members, and their ages, are checked so often. */
const LOOK_EVERY_MS = 60_000;
/** Shortest time between two checks. */
const PACE_MS = 1_000;
/** Dead letters that are looked at in one call, in each partition: more would block Redis. */
const MOST_REMOVED = 100;
const MOST_PARTITIONS = 16;

export interface DeadLetterKeeperParts {
  readonly redis: Topology;
  readonly presence: Presence;
  readonly partitions: readonly GroupPartition[];
  readonly bounds: DeadLetterBounds;
  /** Whether this member serves a hook. */
  readonly hasHook: boolean;
}

type Reply = [removed: number, untold: number, more: '0' | '1', ...consumers: string[]];

/** Keeps the dead letters of a group within their bounds; every member does so. */
export class DeadLetterKeeper implements Watcher {
  readonly onGone = (): void => this.#loop.wake();
  readonly onReturn = (): void => undefined;
  readonly #parts: DeadLetterKeeperParts;
  readonly #loop: Loop;
  /** Members that serve the hook, as far as Redis knows; null before the first look. */
  #hookMembers: ReadonlySet<string> | null = null;
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
    return this.#hookMembers ?? new Set();
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  /** Called when there is a new dead letter. */
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
    const isServed = this.#isHookServed();
    this.#lookedAt = performance.now();
    const { redis, partitions } = this.#parts;
    const pages = pagesOf(partitions, MOST_PARTITIONS, ({ keys }) => redis.controlFor(keys.log));
    const replies = (await allTurns(pages.map((page) => this.#bound(page, isServed)))).flat();
    const isKnown = this.#hookMembers !== null;
    this.#hookMembers = new Set(replies.flatMap(([, , , ...consumers]) => consumers).filter((name) => name !== NOBODY));
    if (isKnown && replies.every(([, , more]) => more === '0')) return LOOK_EVERY_MS;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    return 0;
  }

  /** Whether a member may still serve the hook: one that is not known to be gone. */
  #isHookServed(): boolean {
    const { hasHook, presence } = this.#parts;
    return hasHook || !this.#hookMembers || [...this.#hookMembers].some((member) => presence.fateOf(member) === 'living');
  }

  async #bound({ redis, partitions }: Page<GroupPartition>, isServed: boolean): Promise<Reply[]> {
    const { maxAgeMs, maxMessages, maxBytes } = this.#parts.bounds;
    const keys = partitions.flatMap(({ groupKeys: { dead, stats } }) => [dead, stats]);
    const args = [maxAgeMs, maxMessages, maxBytes, MOST_REMOVED, isServed ? '1' : '0'];
    const replies = (await redis.run(boundDeadLetters, keys, args)) as Reply[];
    partitions.forEach((partition, index) => report(partition, replies[index]!));
    return replies.map((reply) => turnOf(reply, 'bound-dead-letters'));
  }
}

function report({ topic, partition, group }: GroupPartition, reply: Reply | string): void {
  if (typeof reply === 'string') return;
  const [count, untold] = reply;
  if (count > 0) emit('dead-letters-dropped', { topic, partition, group, count, untold });
}
