import { emit, errorRecord } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';

const UNBLOCK_EVERY_MS = 50;

/** A read that waits inside Redis. It can be ended without losing what it may bring: to close its connection would. */
export class BlockedRead {
  readonly #connection: RedisConnection;
  readonly #control: RedisConnection;
  #clientId: string | null = null;
  /** The epoch of the connection at which its id was asked for. */
  #askedIn: number | null = null;
  #isUnderWay = false;

  /** @param control the connection over which it is ended */
  constructor(connection: RedisConnection, control: RedisConnection) {
    this.#connection = connection;
    this.#control = control;
  }

  async read(command: string, ...args: (string | number)[]): Promise<unknown> {
    this.#learnClientId();
    this.#isUnderWay = true;
    try {
      return await this.#connection.call(command, ...args);
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** Ends this read and each later one, until `done`. */
  async endUntil(done: Promise<void>): Promise<void> {
    const unblocking = setInterval(() => void this.#unblock(), UNBLOCK_EVERY_MS);
    await this.#unblock();
    await done;
    clearInterval(unblocking);
  }

  /** Asks for the id ahead of the first read of each connection. */
  #learnClientId(): void {
    const { connectionEpoch } = this.#connection;
    if (this.#askedIn === connectionEpoch) return;
    this.#askedIn = connectionEpoch;
    this.#clientId = null;
    const learnt = (id: unknown): void => void (this.#clientId = String(id));
    // When this fails, so does the read behind it, and that failure is reported.
    this.#connection.call('CLIENT', 'ID').then(learnt, () => void (this.#askedIn = null));
  }

  async #unblock(): Promise<void> {
    if (!this.#isUnderWay || this.#clientId === null) return;
    try {
      await this.#control.call('CLIENT', 'UNBLOCK', this.#clientId);
    } catch (error) {
      // Without the permission, or without Redis, the read ends by itself when its time is up.
      emit('loop-failed', { loop: 'rpc-requests', error: errorRecord(error), failures: 1 });
    }
  }
}
