import type { Command, Outcome } from './redis-connection.js';

/** A command, and one behind it that waits inside Redis, as WAIT does. */
interface Pair {
  readonly first: Command;
  /** Called right before the first is sent. */
  readonly before: () => void;
  readonly second: Command;
  readonly settle: (outcomes: [Outcome, Outcome]) => void;
}

/**
 * Sends pairs over one connection. A command that waits inside Redis holds up all that comes behind it, and is about everything
 * before it: so pairs that come while one waits are sent together, with one wait behind them all.
 */
export class SharedWaits {
  readonly #send: (command: Command) => Promise<unknown>;
  readonly #pairs: Pair[] = [];
  #isSending = false;

  constructor(send: (command: Command) => Promise<unknown>) {
    this.#send = send;
  }

  both(first: Command, second: Command, before: () => void): Promise<[Outcome, Outcome]> {
    return new Promise((settle) => {
      this.#pairs.push({ first, second, before, settle });
      if (!this.#isSending) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#pairs.length > 0) {
      await atEndOfTick();
      await this.#sendTogether(this.#taken());
    }
    this.#isSending = false;
  }

  /** All whose waits are the same as that of the first. */
  #taken(): Pair[] {
    const wait = this.#pairs[0]!.second.join(' ');
    const pairs = this.#pairs.splice(0);
    this.#pairs.push(...pairs.filter(({ second }) => second.join(' ') !== wait));
    return pairs.filter(({ second }) => second.join(' ') === wait);
  }

  async #sendTogether(pairs: readonly Pair[]): Promise<void> {
    const sent = pairs.map(({ first, before }) => {
      before();
      return this.#send(first);
    });
    const outcomes = await Promise.allSettled([...sent, this.#send(pairs[0]!.second)]);
    const wait = outcomes.at(-1)!;
    pairs.forEach(({ settle }, index) => settle([outcomes[index]!, wait]));
  }
}

/** Resolves after the callers of this tick had their turn: many come at once. */
function atEndOfTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
