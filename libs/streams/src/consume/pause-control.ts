import type { DeadLetterHook } from '../hook/dead-letter-hook.js';
import type { Dispatcher } from './dispatcher.js';
import type { Fetching } from './fetching.js';

/** Who pauses a subscription: the group's operator, this process's, its breaker, or the end of the process. */
export type PausedBy = 'group' | 'process' | 'failures' | 'stop';

export interface PauseControlParts {
  readonly dispatcher: Dispatcher;
  readonly fetcher: Pick<Fetching, 'rest'>;
  readonly hook: DeadLetterHook | null;
  /** Gives back the messages that wait. */
  readonly giveBack: () => void;
}

/** Pauses a subscription until everybody who paused it has resumed it. */
export class PauseControl {
  readonly #parts: PauseControlParts;
  readonly #pausedBy = new Set<PausedBy>();

  constructor(parts: PauseControlParts) {
    this.#parts = parts;
  }

  get pausedBy(): readonly PausedBy[] {
    return [...this.#pausedBy];
  }

  /** No handler starts from now on. Resolves when no fetch is under way and the waiting messages are on their way back. */
  async pause(by: PausedBy): Promise<void> {
    const { dispatcher, fetcher, hook, giveBack } = this.#parts;
    this.#pausedBy.add(by);
    dispatcher.pause();
    hook?.pause();
    await fetcher.rest();
    if (this.#pausedBy.size > 0) giveBack();
  }

  /** Resolves when every started handler has ended and its outcome is settled. */
  async drain(): Promise<void> {
    const { dispatcher, hook } = this.#parts;
    await Promise.all([dispatcher.drain(), hook?.drain()]);
  }

  resume(by: PausedBy): void {
    this.#pausedBy.delete(by);
    if (this.#pausedBy.size > 0) return;
    this.#parts.dispatcher.resume();
    this.#parts.hook?.resume();
  }
}
