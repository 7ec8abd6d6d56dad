import { HttpException, HttpStatus } from '@nestjs/common';
import { Semaphore } from '@millrace/core';

/** Attempts that an address may fail in a window. */
const MOST_FAILURES = 20;
const WINDOW_MS = 60_000;
const MOST_ADDRESSES = 10_000;
/** How long an attempt waits for the outcome of those before it. */
const WAIT_MS = 5_000;

interface Client {
  /** An attempt takes one and gives it back when it succeeds, so that a burst fails no oftener than attempts one by one. */
  readonly slots: Semaphore;
  running: number;
  failed: number;
  /** The end of the window that the first failure began; 0 before that. */
  until: number;
}

/** An address has failed too often. */
export class TooManyAttempts extends HttpException {
  /** @param seconds after which it may try again */
  constructor(readonly seconds: number) {
    super('Too many requests from this address were not let in. Try again later.', HttpStatus.TOO_MANY_REQUESTS);
  }
}

/** Counts the failed attempts of each address to be let in, for the 10,000 addresses that began to try last. */
export class Attempts {
  readonly #byAddress = new Map<string, Client>();

  /**
   * Makes an attempt, unless too many of the address have failed.
   *
   * @param attempt fails when it resolves with null, or throws an HttpException that is the client's fault
   * @throws TooManyAttempts
   */
  async run<T>(address: string, attempt: () => Promise<T | null>): Promise<T | null> {
    const client = this.#clientAt(address);
    if (client.failed >= MOST_FAILURES) throw tooMany(client);
    client.running += 1;
    try {
      await client.slots.acquire({ waitMs: WAIT_MS, tooLate: () => tooMany(client) });
      return await judged(attempt, (isFailed) => (isFailed ? countFailure(client) : client.slots.release()));
    } finally {
      client.running -= 1;
      if (client.running === 0 && client.failed === 0) this.#byAddress.delete(address);
    }
  }

  /** Makes an attempt that is let in past the others, and counts it when it fails. */
  runPast<T>(address: string, attempt: () => Promise<T | null>): Promise<T | null> {
    return judged(attempt, (isFailed) => (isFailed ? countFailure(this.#clientAt(address)) : undefined));
  }

  #clientAt(address: string): Client {
    const known = this.#byAddress.get(address);
    if (known && (known.until === 0 || known.until > Date.now())) return known;
    this.#byAddress.delete(address);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size >= MOST_ADDRESSES && oldest !== undefined) this.#byAddress.delete(oldest);
    const client = { slots: new Semaphore(MOST_FAILURES), running: 0, failed: 0, until: 0 };
    this.#byAddress.set(address, client);
    return client;
  }
}

async function judged<T>(attempt: () => Promise<T | null>, judge: (isFailed: boolean) => void): Promise<T | null> {
  let isFailed = false;
  try {
    const result = await attempt();
    isFailed = result === null;
    return result;
  } catch (thrown) {
    isFailed = thrown instanceof HttpException && thrown.getStatus() < 500;
    throw thrown;
  } finally {
    judge(isFailed);
  }
}

function countFailure(client: Client): void {
  client.failed += 1;
  if (client.until === 0) client.until = Date.now() + WINDOW_MS;
}

function tooMany({ until }: Client): TooManyAttempts {
  return new TooManyAttempts(Math.max(1, Math.ceil((until - Date.now()) / 1_000)));
}
