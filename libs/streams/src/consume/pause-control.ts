import type { DeadLetterHook } from '../hook/dead-letter-hook.js';
import type { Fetcher } from '../read/fetcher.js';
import type { Dispatcher } from './dispatcher.js';

/** Who pauses a subscription: the group's operator, this process's, or the end of the process. */
export type PausedBy = 'group' | 'process' | 'stop';

/** Pauses a subscription for whoever asks, until all who asked have resumed it. */
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

  /** No handler starts from now on; resolves when nothing is fetched either and what waited has gone back to the group. */
  async pause(by: PausedBy): Promise<void> {
    this.#pausedBy.add(by);
    this.#dispatcher.pause();
    this.#hook?.pause();
    await this.#fetcher.rest();
    if (this.#pausedBy.size > 0) this.#dispatcher.release(this.#dispatcher.takeWaiting());
  }

  /** Resolves when every handler that was started has ended and is settled. */
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
