import type { DeadLetterHook } from '../hook/dead-letter-hook.js';
import type { Fetcher } from '../read/fetcher.js';
import type { Dispatcher } from './dispatcher.js';

/** Who pauses a subscription: the group's operator, this process's, or the end of the process. */
export type PausedBy = 'group' | 'process' | 'stop';

/** Pauses a subscription until everybody who paused it has resumed it. */
export class PauseControl {
  readonly #dispatcher: Dispatcher;
  readonly #fetcher: Fetcher;
  readonly #hook: DeadLetterHook | null;
  readonly #pausedBy = new Set<PausedBy>();

  constructor(dispatcher: Dispatcher, fetcher: Fetcher, hook: DeadLetterHook | null) {
    this.#dispatcher = dispatcher;
    this.#fetcher = fetcher;
    this.#hook = hook;
  }

  get pausedBy(): readonly PausedBy[] {
    return [...this.#pausedBy];
  }

  /** No handler starts from now on. Resolves when no fetch is under way and the waiting messages are on their way back. */
  async pause(by: PausedBy): Promise<void> {
    this.#pausedBy.add(by);
    this.#dispatcher.pause();
    this.#hook?.pause();
    await this.#fetcher.rest();
    if (this.#pausedBy.size > 0) this.#dispatcher.release(this.#dispatcher.takeWaiting());
  }

  /** Resolves when every started handler has ended and its outcome is settled. */
  async drain(): Promise<void> {
    await Promise.all([this.#dispatcher.drain(), this.#hook?.drain()]);
  }

  resume(by: PausedBy): void {
    this.#pausedBy.delete(by);
    if (this.#pausedBy.size > 0) return;
    this.#dispatcher.resume();
    this.#hook?.resume();
  }
}
