import type { Dispatcher } from './dispatcher.js';
import type { Fetcher } from '../read/fetcher.js';

/** Who holds the flow up: the group's operator, this process's, or the end of the process. */
export type Stopper = 'group' | 'process' | 'stop';

/** Lets messages flow from Redis to the handler, unless somebody holds them up. */
export class Flow {
  readonly #dispatcher: Dispatcher;
  readonly #fetcher: Fetcher;
  readonly #stoppers = new Set<Stopper>();

  constructor(dispatcher: Dispatcher, fetcher: Fetcher) {
    this.#dispatcher = dispatcher;
    this.#fetcher = fetcher;
  }

  get heldUpBy(): readonly Stopper[] {
    return [...this.#stoppers];
  }

  /** No handler starts from now on; resolves when nothing is fetched either and what waited has gone back to the group. */
  async hold(stopper: Stopper): Promise<void> {
    this.#stoppers.add(stopper);
    this.#dispatcher.pause();
    await this.#fetcher.rest();
    if (this.#stoppers.size > 0) this.#dispatcher.release(this.#dispatcher.takeWaiting());
  }

  /** Resolves when every handler that was started has ended and is settled. */
  drain(): Promise<void> {
    return this.#dispatcher.drain();
  }

  release(stopper: Stopper): void {
    this.#stoppers.delete(stopper);
    if (this.#stoppers.size === 0) this.#dispatcher.resume();
  }
}
