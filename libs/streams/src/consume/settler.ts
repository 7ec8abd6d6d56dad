import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord } from '@millrace/core';
import { loadScript, type RedisConnection, redisFailure } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { Settlement } from './settlement.js';
import type { Work } from './work.js';

const settle = loadScript('../scripts/settle.lua', import.meta.url);

const MAX_BATCH = 128;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

interface Item {
  readonly work: Work;
  readonly settlement: Settlement;
  readonly done: () => void;
}

export interface SettlerParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly member: string;
  readonly held: HeldEntries;
  /** Called when the group was given again what it had settled. */
  readonly replayed: (partition: GroupPartition) => void;
}

/**
 * Writes outcomes to Redis, gathered per stream and tick. A settlement is tried until Redis takes or refuses it, or until
 * the message is known to belong to another member.
 */
export class Settler {
  readonly #parts: SettlerParts;
  readonly #waiting = new Map<GroupStream, Item[]>();
  /** What cannot be settled at the moment, and why. */
  readonly #failing = new Map<readonly Item[], string>();
  readonly #abandoned = new AbortController();

  constructor(parts: SettlerParts) {
    this.#parts = parts;
    // As many settlements wait for Redis as there are.
    setMaxListeners(0, this.#abandoned.signal);
  }

  /** Resolves when the message is settled, or can no longer be settled by this member. */
  settle(work: Work, settlement: Settlement): Promise<void> {
    return new Promise((done) => {
      const { stream } = work.entry;
      const items = this.#waiting.get(stream);
      if (items) items.push({ work, settlement, done });
      else {
        this.#waiting.set(stream, [{ work, settlement, done }]);
        setImmediate(() => this.#flush(stream));
      }
    });
  }

  /** Why something cannot be settled, or null while all is well. */
  problem(): string | null {
    const [why] = this.#failing.values();
    return why ?? null;
  }

  /** Stops trying: what is not settled by now is left to those who reclaim it. */
  abandon(): void {
    this.#abandoned.abort();
  }

  #flush(stream: GroupStream): void {
    const items = this.#waiting.get(stream) ?? [];
    this.#waiting.delete(stream);
    for (let start = 0; start < items.length; start += MAX_BATCH) void this.#store(stream, items.slice(start, start + MAX_BATCH));
  }

  /** Never rejects: a failure is told and tried again. */
  async #store(stream: GroupStream, items: readonly Item[]): Promise<void> {
    let open = items;
    let repeated = false;
    for (let pauseMs = FIRST_PAUSE_MS; open.length > 0; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        this.#finish(open, await this.#send(stream, open, repeated));
        break;
      } catch (thrown) {
        const failure = redisFailure(thrown, 'settle');
        // A script that failed may have settled some of them before it did.
        repeated ||= failure.kind !== 'unsent';
        this.#failing.set(items, failure.message);
        emit('loop-failed', { ...placeOf(stream), loop: 'settle', error: errorRecord(failure), failures: 1 });
        await this.#pause(pauseMs);
        open = this.#stillHeld(open);
      }
    }
    this.#failing.delete(items);
  }

  async #send(stream: GroupStream, items: readonly Item[], repeated: boolean): Promise<string> {
    const { groupKeys, group } = stream.partition;
    const pages = new Map<string, number>();
    const args = items.flatMap((item) => this.#arguments(item, pages));
    const { stats, due, dead, retryLog, open, begun } = groupKeys;
    const keys = [stream.key, stats, due, dead, retryLog, open, begun, ...pages.keys()];
    const head = [group, this.#parts.member, stream.kind, SETTLED_PAGE_OFFSETS, repeated ? '1' : '0'];
    return String(await this.#parts.redis.run(settle, keys, [...head, ...args]));
  }

  #arguments({ work, settlement }: Item, pages: Map<string, number>): (string | number)[] {
    const { entry, offset } = work;
    const page = settledKey(this.#parts.prefix, entry.stream.partition, Math.max(0, offset));
    const index = pages.get(page) ?? pages.size + 1;
    pages.set(page, index);
    const proof = this.#parts.held.isInDoubt(entry) ? proofOf(work) : '';
    return [entry.id, entry.base, entry.size, offset, index, ...settlement, proof];
  }

  #finish(items: readonly Item[], reply: string): void {
    items.forEach(({ work, done }, index) => {
      if (reply[index] === 'F') this.#refused(work);
      else this.#parts.held.settled(work.entry);
      if (reply[index] === 'D') this.#parts.replayed(work.entry.stream.partition);
      done();
    });
  }

  #refused(work: Work): void {
    this.#parts.held.lost(work.entry);
    const messageId = work.message instanceof Error ? '' : work.message.id;
    emit('fenced', { ...placeOf(work.entry.stream), messageId });
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abandoned;
    await this.#parts.redis.whenReady(ms, signal);
    await setTimeout(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Lets go of what others have taken over meanwhile: their settlement counts, ours would be refused. */
  #stillHeld(items: readonly Item[]): readonly Item[] {
    const isOpen = (item: Item): boolean => !this.#abandoned.signal.aborted && this.#parts.held.has(item.work.entry);
    for (const item of items) if (!isOpen(item)) item.done();
    return items.filter(isOpen);
  }
}

/** Of what cannot be read its text. Where the entry holds that in another form it is refused, to be read and settled anew. */
function proofOf({ message, envelope }: Work): string {
  return message instanceof Error ? envelope : message.id;
}

function placeOf({ partition }: GroupStream): { topic: string; partition: number; group: string } {
  return { topic: partition.topic, partition: partition.partition, group: partition.group };
}
