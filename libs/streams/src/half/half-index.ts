import { type Durability, emit, type TopicDefinition } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { type DurableRoutes, nameOf, runConfirmed } from '../durable/durable-routes.js';
import { halfIndexKey } from '../keys.js';

const lookAfterHalves = loadScript('../scripts/look-after-halves.lua', import.meta.url);

/** A look that is so late says that nobody looks. */
const UNCHECKED_MS = 60_000;
/** Pause between two reports of that, for a topic. */
const REPORT_EVERY_MS = 600_000;
/** A promise is used up to so long before its end, or to a quarter of the time until the half message is due. */
const SPARE_MS = 1_000;

interface Promised {
  /** In Unix milliseconds of Redis's clock. */
  readonly until: number;
  /** Redis's clock less the monotonic one of this process. */
  readonly offsetMs: number;
}

/** A partition whose look is due, and the mark of its take. */
export interface DueLook {
  readonly partition: number;
  readonly mark: string;
}

export interface HalfIndexParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly routes: DurableRoutes;
}

/** For each topic, which of its partitions may have half messages, and when somebody is to look at them. */
export class HalfIndex {
  readonly #parts: HalfIndexParts;
  readonly #promises = new Map<string, Promised>();
  readonly #asking = new Map<string, Promise<Promised>>();
  readonly #reported = new Map<string, number>();

  constructor(parts: HalfIndexParts) {
    this.#parts = parts;
  }

  /**
   * Has the partition looked at when a half message, stored by the end of the promise, is due. The index is as durable as the
   * half message is to be, and is so first.
   *
   * @returns the end of the promise, in Unix milliseconds of Redis's clock
   */
  async promise(topic: TopicDefinition, { partition, dueInMs, durability }: HalfDue): Promise<string> {
    const name = `${topic.name}:${partition}:${nameOf(durability)}`;
    const known = this.#promises.get(name);
    if (known && covers(known, dueInMs)) return String(known.until);
    const asked = `${name}:${dueInMs}`;
    const asking = this.#asking.get(asked) ?? this.#ask(topic, { partition, dueInMs, durability });
    this.#asking.set(asked, asking);
    const promised = await asking.finally(() => this.#asking.delete(asked));
    this.#promises.set(name, promised);
    return String(promised.until);
  }

  /** A promise did not hold: the next one is asked for. */
  forget(topic: TopicDefinition, partition: number, durability: Durability): void {
    this.#promises.delete(`${topic.name}:${partition}:${nameOf(durability)}`);
  }

  /** Takes the partitions whose look is due, for so many milliseconds. */
  async take(topic: TopicDefinition, forMs: number): Promise<{ readonly nextMs: number; readonly due: readonly DueLook[] }> {
    const [nextMs, ...taken] = (await this.#run(topic, 'take', forMs)) as [number, ...string[]];
    const partitions = taken.filter((_, index) => index % 2 === 0);
    return { nextMs, due: partitions.map((partition, index) => ({ partition: Number(partition), mark: taken[2 * index + 1]! })) };
  }

  /** @param nextMs until the next half message of the partition is due; -1 when none is */
  async done(topic: TopicDefinition, { partition, mark }: DueLook, nextMs: number): Promise<void> {
    await this.#run(topic, 'done', partition, mark, nextMs);
  }

  async #ask({ name }: TopicDefinition, { partition, dueInMs, durability }: HalfDue): Promise<Promised> {
    const key = halfIndexKey(this.#parts.prefix, name);
    const call = { keys: [key], args: ['promise', partition, dueInMs] };
    const reply = await runConfirmed(this.#parts.routes.to(key, durability), lookAfterHalves, call);
    const [until, lateMs, now] = reply as [string, number, string];
    if (lateMs >= UNCHECKED_MS) this.#report(name, lateMs);
    return { until: Number(until), offsetMs: Number(now) - performance.now() };
  }

  #report(topic: string, overdueMs: number): void {
    const now = performance.now();
    if (now - (this.#reported.get(topic) ?? Number.NEGATIVE_INFINITY) < REPORT_EVERY_MS) return;
    this.#reported.set(topic, now);
    emit('halves-unchecked', { topic, overdueMs });
  }

  #run({ name }: TopicDefinition, ...args: (string | number)[]): Promise<unknown> {
    const key = halfIndexKey(this.#parts.prefix, name);
    return this.#parts.redis.controlFor(key).run(lookAfterHalves, [key], args);
  }
}

/** A half message that is to be stored in a partition, and is to be checked so many milliseconds later. */
export interface HalfDue {
  readonly partition: number;
  readonly dueInMs: number;
  readonly durability: Durability;
}

/** Whether the look comes no later than the half message is due, and not before that is stored. */
function covers({ until, offsetMs }: Promised, dueInMs: number): boolean {
  const now = performance.now() + offsetMs;
  return now + Math.min(SPARE_MS, dueInMs / 4) < until && until <= now + dueInMs;
}
