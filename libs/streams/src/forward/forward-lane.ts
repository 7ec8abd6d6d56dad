import { asError, emit, errorRecord, type ForwardedJobs } from '@millrace/core';
import type { GroupPartition } from '../consume/group-partition.js';
import { pauses } from '../publish/pace.js';
import { type EntryName, entryNameOf, type ForwardEntry } from './forward-entry.js';
import type { ForwardLog } from './forward-log.js';
import { type ForwardSender, GivenUp } from './forward-sender.js';
import type { Sendable } from './forward-text.js';

/** Messages and jobs that wait to be sent, and may be: more settlements wait until some are sent. */
const MOST_WAITING = 8_192;
/** Messages and jobs that are sent together. */
const MOST_AT_ONCE = 1_024;

export interface ForwardLaneParts {
  readonly place: GroupPartition;
  readonly member: string;
  readonly log: ForwardLog;
  readonly sender: ForwardSender;
  readonly jobs: ForwardedJobs | undefined;
  /** Members that live, as far as this one knows, and whose lanes are left to them. */
  readonly living: () => readonly string[];
  /** Aborts when nothing more is to be sent. */
  readonly signal: AbortSignal;
}

/** Sends entries of one lane and generation. */
export async function sendEntries(parts: ForwardLaneParts, entries: readonly ForwardEntry[], more: SendExtras): Promise<void> {
  const { place: { topic, partition, group }, sender, jobs, signal } = parts;
  const { lane, generation } = entries[0]!.name;
  const items = entries.flatMap(({ name, sendables }) => sendables.map((item, index) => ({ number: name.first + index, item })));
  await sender.send({ source: `${topic}:${partition}:${group}:${lane}@${generation}`, items, jobs, signal, ...more });
}

export interface SendExtras {
  readonly follows: boolean;
  readonly onProblem: (why: string | null) => void;
}

/**
 * The lane of this member in one partition: what it adds is sent at once, in the order of its numbers. Nothing is sent while a
 * lower number may be in Redis that this member does not know, as when an answer was lost: then the lane is read first.
 */
export class ForwardLane {
  readonly #parts: ForwardLaneParts;
  #name: Promise<string> | null = null;
  #queue: ForwardEntry[] = [];
  #waiting = 0;
  /** The next entry. */
  #next = { lane: '', generation: '', number: 0 };
  /** Whether there may be entries of the lane in Redis that are not in the queue. */
  #isUnsure = true;
  /** Entries that were added while the lane is being read. */
  #late: ForwardEntry[] | null = null;
  #running: Promise<void> | null = null;
  #problem: string | null = null;
  readonly #onRoom: (() => void)[] = [];

  constructor(parts: ForwardLaneParts) {
    this.#parts = parts;
  }

  /** Why nothing can be sent at the moment, or null while all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  get isIdle(): boolean {
    return this.#running === null;
  }

  /** Whether an entry is on its way by this member. */
  has(name: string): boolean {
    return this.#queue.some((entry) => entry.name.text === name);
  }

  /** @throws RedisFailure */
  name(): Promise<string> {
    if (!this.#name) {
      const { log, member, living } = this.#parts;
      this.#name = log.claim(member, living());
      this.#name.catch(() => (this.#name = null));
    }
    return this.#name;
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.#waiting >= MOST_WAITING && !this.#parts.signal.aborted) {
      await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    }
  }

  /** The lane is another's by now. */
  taken(): void {
    this.#name = null;
    this.doubt();
  }

  /** There may be entries that nobody told this member of. */
  doubt(): void {
    this.#isUnsure = true;
    this.#begin();
  }

  /** A settlement has added an entry. */
  added(text: string, sendables: readonly Sendable[]): void {
    const entry = { name: entryNameOf(text), sendables };
    if (this.#late) this.#late.push(entry);
    else this.#append(entry);
    this.#begin();
  }

  #append(entry: ForwardEntry): void {
    const { lane, generation, first, count } = entry.name;
    const { lane: nextLane, generation: nextGeneration, number } = this.#next;
    if (this.#isUnsure) return;
    if (lane === nextLane && generation === nextGeneration && first === number) {
      this.#queue.push(entry);
      this.#waiting += count;
      this.#next = { lane, generation, number: first + count };
    } else this.#isUnsure = true;
  }

  /** Resolves when all is sent, or nothing more is to be sent. */
  async drain(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #begin(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      // It may have been told of more between its last look and now.
      if (this.#hasWork) this.#begin();
      this.#wakeAll();
    });
  }

  get #hasWork(): boolean {
    return !this.#parts.signal.aborted && (this.#isUnsure || this.#queue.length > 0);
  }

  async #run(): Promise<void> {
    // Settlements of the same moment are sent together.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    for (const pauseMs of pauses()) {
      try {
        await this.#sendAll();
        return;
      } catch (thrown) {
        if (thrown instanceof GivenUp || this.#parts.signal.aborted) return;
        this.#failed(asError(thrown));
        await new Promise((resolve) => {
          setTimeout(resolve, pauseMs);
        });
      }
    }
  }

  async #sendAll(): Promise<void> {
    let follows = false;
    while (!this.#parts.signal.aborted) {
      if (this.#isUnsure) await this.#read();
      const entries = this.#head();
      if (!this.#hasWork) return;
      if (entries.length === 0) continue;
      const onProblem = (why: string | null): void => this.#hear(why);
      await sendEntries(this.#parts, entries, { follows, onProblem });
      await this.#parts.log.remove(entries.map(({ name }) => name));
      this.#problem = null;
      this.#queue.splice(0, entries.length);
      for (const { name } of entries) this.#waiting -= name.count;
      this.#wakeAll();
      follows = true;
    }
  }

  /** The first entries of one generation. */
  #head(): readonly ForwardEntry[] {
    const first = this.#queue[0];
    let [entries, items] = [0, 0];
    for (const { name } of this.#queue) {
      items += name.count;
      if (name.generation !== first!.name.generation || (entries > 0 && items > MOST_AT_ONCE)) break;
      entries += 1;
    }
    return this.#queue.slice(0, entries);
  }

  /** Learns all that the lane has, at one moment. Items that are added meanwhile follow it, or are in it. */
  async #read(): Promise<void> {
    this.#late = [];
    this.#isUnsure = false;
    try {
      const lane = await this.name();
      const { lanes, names } = await this.#parts.log.read();
      const state = lanes[Number(lane)];
      if (state?.owner !== this.#parts.member) this.#name = null;
      const own = names.filter((name) => name.lane === lane);
      this.#queue = await this.#parts.log.entries(own);
      this.#waiting = this.#queue.reduce((sum, { name }) => sum + name.count, 0);
      this.#next = { lane, generation: state?.generation ?? '', number: (state?.last ?? 0) + 1 };
      const late = this.#late;
      this.#late = null;
      for (const entry of late) if (!isIn(own, entry.name)) this.#append(entry);
    } catch (thrown) {
      this.#isUnsure = true;
      throw thrown;
    } finally {
      this.#late = null;
    }
  }

  #hear(why: string | null): void {
    this.#problem = why === null ? null : `Forwarded messages wait: ${why}`;
    if (why !== null) this.#failed(new Error(why));
  }

  #failed(error: Error): void {
    const { topic, partition, group } = this.#parts.place;
    this.#problem = `Forwarded messages wait: ${error.message}`;
    emit('loop-failed', { topic, partition, group, loop: 'forward', error: errorRecord(error), failures: 1 });
  }

  #wakeAll(): void {
    for (const resolve of this.#onRoom.splice(0)) resolve();
  }
}

function isIn(names: readonly EntryName[], { text }: EntryName): boolean {
  return names.some((name) => name.text === text);
}
