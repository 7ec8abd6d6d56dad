import { Actor, type TimedEvent } from './actor.js';
import type { Clock } from './clock.js';
import { EventQueue } from './event-queue.js';
import { replaceBuiltins } from './replaced-builtins.js';
import { seededRandom } from './seeded-random.js';

/** The wall clock when a run begins: 2027-01-15T08:00:00Z. */
const EPOCH_MS = 1_800_000_000_000;
const turn = setImmediate;
/** So many events follow each other before Node gets its turn, in which it reports rejections that nothing handles. */
const EVENTS_A_TURN = 64;

export interface RunOptions {
  /** The run ends with success when it returns true; it is asked before each event. */
  readonly until: () => boolean;
  /** The most virtual milliseconds since the last {@link VirtualTime.reset}. Default: no limit. */
  readonly limitMs?: number;
}

/**
 * The time of a whole process, which goes on only from one event to the next: with no work left it jumps. `setTimeout`,
 * `setInterval`, `setImmediate`, `performance.now`, `Date`, `Math.random`, `node:timers`, `node:timers/promises`, and the random
 * bytes and UUIDs of `node:crypto` go by it, so the code that runs on it stays as it is. The same seed gives the same run.
 */
export class VirtualTime implements Clock {
  readonly #queue = new EventQueue<TimedEvent>();
  #nowMs = 0;
  #number = 0;
  #random = seededRandom(0);
  #outside = new Actor('outside', () => undefined);
  #current = this.#outside;

  private constructor() {
    replaceBuiltins(this);
  }

  /** Replaces the built-in functions of this process, for good. Import the code that is to run on it afterwards. */
  static install(): VirtualTime {
    return (installed ??= new VirtualTime());
  }

  /** Begins anew: all that was to come is dropped. */
  reset(seed: number): void {
    this.#queue.clear();
    this.#nowMs = 0;
    this.#number = 0;
    this.#random = seededRandom(seed);
    this.#outside = new Actor('outside', () => undefined);
    this.#current = this.#outside;
  }

  /** Milliseconds since the last {@link reset}, by the clock that is never set. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Unix milliseconds by the wall clock of an actor: by default the one whose turn it is. */
  wallMs(actor: Actor = this.#current): number {
    return Math.floor(EPOCH_MS + this.#nowMs + actor.clockMs);
  }

  /** The actor whose turn it is; none of the simulated ones between two turns. */
  get current(): Actor {
    return this.#current;
  }

  random(): number {
    return this.#random();
  }

  actor(name: string): Actor {
    // Those that waited keep their times, which are over, and with them their order.
    return new Actor(name, (held) => held.forEach((event) => this.#queue.push(event)));
  }

  /** Calls `work` after so many milliseconds, in a turn of the actor. @returns a function that prevents it */
  after(ms: number, work: () => void, actor: Actor = this.#current): () => void {
    const event = this.#push(ms, work, actor);
    return () => void (event.isCancelled = true);
  }

  /**
   * Runs one event after the other, each with all of its microtasks.
   *
   * @throws Error nothing is left to happen, or the limit is reached; and whatever an event throws
   */
  run({ until, limitMs = Number.POSITIVE_INFINITY }: RunOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      let taken = 0;
      const step = (): void => {
        this.#current = this.#outside;
        try {
          if (until()) return void turn(resolve);
          // Work that waits for Node itself may still add an event.
          if (!this.#next(limitMs)) return taken === 0 ? reject(this.#nothingLeft()) : void turn(stepAfterTurn);
        } catch (error) {
          this.#current = this.#outside;
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        taken += 1;
        if (taken === EVENTS_A_TURN) turn(stepAfterTurn);
        else queueMicrotask(afterMicrotasks);
      };
      // A tick that is asked for by a microtask comes when all microtasks are done, in the turn of the same actor.
      const afterMicrotasks = (): void => process.nextTick(step);
      const stepAfterTurn = (): void => {
        taken = 0;
        step();
      };
      turn(step);
    });
  }

  /** @returns whether an event was left */
  #next(limitMs: number): boolean {
    for (let event = this.#queue.pop(); event; event = this.#queue.pop()) {
      if (event.isCancelled || !event.actor.takes(event)) continue;
      if (event.atMs > limitMs) throw new Error(`It is not over after ${limitMs} ms.`);
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      this.#current = event.actor;
      event.work();
      return true;
    }
    return false;
  }

  #nothingLeft(): Error {
    return new Error(`Nothing is left to happen after ${this.#nowMs} ms.`);
  }

  #push(ms: number, work: () => void, actor: Actor): TimedEvent {
    const event = { atMs: this.#nowMs + Math.max(0, ms), number: (this.#number += 1), actor, work, isCancelled: false };
    this.#queue.push(event);
    return event;
  }
}

let installed: VirtualTime | null = null;
