import type { Timed } from './event-queue.js';

/** A turn of an actor that is to come. */
export interface TimedEvent extends Timed {
  readonly actor: Actor;
  readonly work: () => void;
  isCancelled: boolean;
}

/**
 * One of several processes that are simulated in this one. A timer belongs to the actor in whose turn it was set, and so does
 * all that follows from it.
 */
export class Actor {
  readonly name: string;
  readonly #resume: (held: TimedEvent[]) => void;
  #state: 'running' | 'frozen' | 'dead' = 'running';
  #held: TimedEvent[] = [];
  #clockMs = 0;

  /** @param resume takes back the events whose time came while the actor was frozen */
  constructor(name: string, resume: (held: TimedEvent[]) => void) {
    this.name = name;
    this.#resume = resume;
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** How far its wall clock is ahead of that of others, in milliseconds. */
  get clockMs(): number {
    return this.#clockMs;
  }

  /** Its timers and replies wait from now on, as after SIGSTOP; its monotonic clock goes on. */
  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  /** All that has waited comes now, in its order. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    this.#resume(this.#held.splice(0));
  }

  /** Nothing of it happens any more, for good. */
  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  /** Sets its wall clock forward, or back. */
  stepClock(ms: number): void {
    this.#clockMs += ms;
  }

  /** Whether the event may run now; one of a frozen actor is kept. */
  takes(event: TimedEvent): boolean {
    if (this.#state === 'frozen') this.#held.push(event);
    return this.#state === 'running';
  }
}
