import { setMaxListeners } from 'node:events';
import type { Durability } from '@millrace/core';
import { RedisFailure, type RunnableScript, type Topology } from '@millrace/redis';
import { type DurableCall, DurableRoutes, runConfirmed } from './durable-routes.js';

/** The write may have been executed, or not: it is to be repeated, without a wait for its confirmation. */
export class WaitEnded extends RedisFailure {
  constructor() {
    super('indeterminate', 'The member stops, and waits for no more confirmations of outcomes.', undefined);
  }
}

/**
 * The way of the outcomes of one member to Redis. They count when their durability is confirmed, until the member has no more
 * time for that: then they count when Redis has written them, as those of a member that was killed behind the write.
 */
export class OutcomeRoutes {
  readonly #routes: DurableRoutes;
  readonly #durability: Durability;
  readonly #unconfirmed = new AbortController();

  /** @param durability that an outcome must reach before it counts. Default `'server'` */
  constructor(redis: Topology, durability: Durability = 'server') {
    this.#routes = new DurableRoutes(redis, { purpose: 'settle', stored: 'outcome' });
    this.#durability = durability;
    // Any number of outcomes may wait.
    setMaxListeners(0, this.#unconfirmed.signal);
  }

  /** Whether outcomes count though the durability that was asked for is not confirmed. */
  get isUnconfirmed(): boolean {
    return this.#durability !== 'server' && this.#unconfirmed.signal.aborted;
  }

  /** Ends all waits for confirmations, and waits for no more. */
  confirmNoLonger(): void {
    this.#unconfirmed.abort();
  }

  /**
   * Runs a script that writes outcomes, and may be repeated.
   *
   * @param key on the server that has the outcomes
   * @returns the reply of the script
   * @throws RedisFailure `unconfirmed`, or {@link WaitEnded}: it is to be repeated
   */
  async run(key: string, script: RunnableScript, call: DurableCall): Promise<unknown> {
    const { signal } = this.#unconfirmed;
    if (this.#durability === 'server' || signal.aborted) return this.runPlainly(key, script, call);
    const running = runConfirmed(this.#routes.to(key, this.#durability), script, call);
    return unlessAborted(running, signal);
  }

  /** The same for what is no outcome: an answer of Redis is enough. */
  runPlainly(key: string, script: RunnableScript, call: DurableCall): Promise<unknown> {
    return runConfirmed(this.#routes.to(key, 'server'), script, call);
  }

  /** Ends a pause between two tries: early when the second one is to wait for no confirmation, and by the other signal. */
  pauseSignal(...others: readonly AbortSignal[]): AbortSignal {
    const { signal } = this.#unconfirmed;
    return AbortSignal.any(signal.aborted ? [...others] : [signal, ...others]);
  }
}

function unlessAborted<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new WaitEnded());
    signal.addEventListener('abort', stop);
  });
  return Promise.race([running, aborted]).finally(() => signal.removeEventListener('abort', stop));
}
