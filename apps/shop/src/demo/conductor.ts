import { setTimeout as pause } from 'node:timers/promises';
import type { Killer, KillOccasion } from './killer.js';
import type { Observation } from './observer.js';
import type { Stage } from './stage.js';
import { StallWatch } from './stall-watch.js';
import { shareDone, type WorkDone, workDone, type WorkToDo } from './work.js';

export interface ConductorParts extends Stage {
  readonly toDo: WorkToDo;
  /** Null when nothing is to be killed. */
  readonly killer: Killer | null;
}

/** The end of the replay: all is handled, or nothing has moved for too long. */
export interface Ending {
  readonly observation: Observation;
  readonly stuck: boolean;
}

const ROUND_MS = 100;
const STUCK_MS = 60_000;
/** How far publishing may be ahead of handling, as a share of all deliveries. Kills then find work, early and late. */
const AHEAD = 0.15;
const LEAST_AHEAD = 64;

/** Leads the replay: publishes ahead of the handlers, kills when the moment has come, watches until all is handled. */
export class Conductor {
  readonly #parts: ConductorParts;
  readonly #watch = new StallWatch(STUCK_MS);
  readonly #ahead: number;

  constructor(parts: ConductorParts) {
    this.#parts = parts;
    this.#ahead = Math.max(LEAST_AHEAD, parts.toDo.deliveries * AHEAD);
  }

  /** @throws what publishing or observing throws, an AbortError when the signal aborts, CLOSED when a worker ended by itself */
  run(signal: AbortSignal): Promise<Ending> {
    // A question to Redis may wait long for its answer, and nobody who stops the demo wants to.
    return abortable(this.#lead(signal), signal);
  }

  async #lead(signal: AbortSignal): Promise<Ending> {
    const { replay, observer, killer, pool } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      pool?.assertWell();
      const observation = await observer.observe();
      const done = workDone(observation, replay);
      this.#show(done);
      if (done.idle && replay.remaining === 0) return { observation, stuck: false };
      if (this.#watch.isStuck({ observation, published: replay.published })) return { observation, stuck: true };
      await killer?.step(done.settled / this.#parts.toDo.deliveries, this.#occasion(done));
      if (!(await this.#publishAhead(done.settled))) await pause(ROUND_MS, undefined, { signal });
    }
  }

  #occasion({ published, settled }: WorkDone): KillOccasion {
    const atWork = settled < published;
    return { atWork, exhausted: !atWork && !this.#mayPublish(settled) };
  }

  /** @returns whether anything was published */
  async #publishAhead(settled: number): Promise<boolean> {
    const { replay } = this.#parts;
    const until = performance.now() + ROUND_MS;
    const before = replay.remaining;
    while (this.#mayPublish(settled) && performance.now() < until) await replay.publishNext();
    return replay.remaining < before;
  }

  /** Not too far ahead of the handlers; and the last batch waits for the last kill. */
  #mayPublish(settled: number): boolean {
    const { replay, killer } = this.#parts;
    const kept = (killer?.remaining ?? 0) > 0 ? 1 : 0;
    return replay.remaining > kept && replay.deliveries - settled < this.#ahead;
  }

  #show(done: WorkDone): void {
    const { terminal, toDo, replay } = this.#parts;
    const { published, duplicates } = replay;
    const repeated = duplicates > 0 ? ` (${duplicates} duplicates)` : '';
    const shares = `handled ${done.settled} of ${toDo.deliveries}, mailed ${done.mailed} of ${toDo.mails}`;
    const brief = `published ${published}, handled ${done.settled}, mailed ${done.mailed}`;
    terminal.progress(shareDone(done, toDo), [`published ${published}${repeated}, ${shares}`, `published ${published}, ${shares}`, brief]);
  }
}

/** Resolves as the work does, or rejects with the reason of the signal as soon as that aborts: the work goes on then, unheard. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => (abort = () => reject(signal.reason as Error)));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
