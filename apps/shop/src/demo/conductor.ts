import { setTimeout as pause } from 'node:timers/promises';
import { settlesWithin } from '@millrace/redis';
import type { Killer, KillOccasion } from './killer.js';
import type { Observation } from './observer.js';
import type { ReplayState } from './replay.js';
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
  /** Deliveries, when they were observed last. */
  #settled = 0;
  #publishing: Promise<void> | null = null;

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
    const { replay, observer, killer, pool, toDo } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      pool?.assertWell();
      const before = replay.state;
      const observation = await observer.observe();
      const done = workDone(observation, before);
      this.#settled = done.settled;
      this.#show(done, before);
      if (done.idle && before.remaining === 0) return { observation, stuck: false };
      if (this.#watch.isStuck({ observation, published: replay.published })) return { observation, stuck: true };
      this.#publishing ??= this.#publishAhead();
      await killer?.step(done.settled / toDo.deliveries, this.#occasion(done));
      await this.#endRound();
    }
  }

  #occasion({ published, settled }: WorkDone): KillOccasion {
    const atWork = settled < published || this.#publishing !== null;
    return { atWork, exhausted: !atWork };
  }

  /**
   * Goes on beside the rounds, so that processes are killed while they charge orders too; null when nothing may be published now.
   */
  #publishAhead(): Promise<void> | null {
    if (!this.#mayPublish) return null;
    const publishing = this.#publishBatches();
    // The round that waits for it hears the failure.
    publishing.catch(() => undefined);
    return publishing;
  }

  async #publishBatches(): Promise<void> {
    while (this.#mayPublish) await this.#parts.replay.publishNext();
    this.#publishing = null;
  }

  /** @throws what publishing throws */
  async #endRound(): Promise<void> {
    if (this.#publishing) await settlesWithin(this.#publishing, ROUND_MS);
    else await pause(ROUND_MS);
  }

  /** Not too far ahead of the handlers; and the last batch waits for the last kill. */
  get #mayPublish(): boolean {
    const { replay, killer } = this.#parts;
    const kept = (killer?.remaining ?? 0) > 0 ? 1 : 0;
    return replay.remaining > kept && replay.deliveries - this.#settled < this.#ahead;
  }

  #show(done: WorkDone, { published, duplicates }: ReplayState): void {
    const { terminal, toDo } = this.#parts;
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
