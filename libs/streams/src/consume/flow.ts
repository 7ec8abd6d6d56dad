import type { DeadLetterHook } from '../hook/dead-letter-hook.js';
import type { Dispatcher } from './dispatcher.js';
import type { Fetcher } from '../read/fetcher.js';

/** Who holds the flow up: the group's operator, this process's, or the end of the process. */
export type Stopper = 'group' | 'process' | 'stop';

/** Lets messages flow from Redis to the handler, unless somebody holds them up. */
export class Flow {
  readonly #dispatcher: Dispatcher;
  readonly #fetcher: Fetcher;
  readonly #hook: DeadLetterHook | null;
  readonly #stoppers = new Set<Stopper>();

  constructor(dispatcher: Dispatcher, fetcher: Fetcher, hook: DeadLetterHook | null) {
    this.#dispatcher = dispatcher;
    this.#fetcher = fetcher;
    this.#hook = hook;
  }

  get heldUpBy(): readonly Stopper[] {
    return [...this.#stoppers];
  }

  /** No handler starts from now on; resolves when nothing is fetched either and what waited has gone back to the group. */
  async hold(stopper: Stopper): Promise<void> {
    this.#stoppers.add(stopper);
    this.#dispatcher.pause();
    this.#hook?.pause();
    await this.#fetcher.rest();
    if (this.#stoppers.size > 0) this.#dispatcher.release(this.#dispatcher.takeWaiting());
  }

  /** Resolves when every handler that was started has ended and is settled. */
  async drain(): Promise<void> {
    await Promise.all([this.#dispatcher.drain(), this.#hook?.drain()]);
  }

  release(stopper: Stopper): void {
    this.#stoppers.delete(stopper);
    if (this.#stoppers.size > 0) return;
    this.#dispatcher.resume();
    this.#hook?.resume();
  }
}
