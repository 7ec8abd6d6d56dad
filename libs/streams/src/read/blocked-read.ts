import { type RedisConnection, redisFailure } from '@millrace/redis';

const UNBLOCK_EVERY_MS = 50;

/** The read of a subscription that waits inside Redis. It can be ended without losing the entries that it may bring. */
export class BlockedRead {
  readonly #control: RedisConnection;
  readonly #failed: (why: string) => void;
  #isUnderWay = false;
  #clientId: string | null = null;
  /** The connection whose id was asked for, with its epoch at that moment. */
  #clientOf: { readonly connection: RedisConnection; readonly connectionEpoch: number } | null = null;

  /** @param control the connection over which it is ended */
  constructor(control: RedisConnection, failed: (why: string) => void) {
    this.#control = control;
    this.#failed = failed;
  }

  /** Call it right before the read. */
  begins(connection: RedisConnection): void {
    this.#learnClientId(connection);
    this.#isUnderWay = true;
  }

  ended(): void {
    this.#isUnderWay = false;
  }

  /** Ends this read and each later one, until `done`. To close the connection instead could lose the entries of the read. */
  async endUntil(done: Promise<void>): Promise<void> {
    const unblocking = setInterval(() => void this.#unblock(), UNBLOCK_EVERY_MS);
    await this.#unblock();
    await done;
    clearInterval(unblocking);
  }

  /** Asks for the id ahead of the first read of each connection. */
  #learnClientId(connection: RedisConnection): void {
    const { connectionEpoch } = connection;
    if (this.#clientOf?.connection === connection && this.#clientOf.connectionEpoch === connectionEpoch) return;
    this.#clientOf = { connection, connectionEpoch };
    this.#clientId = null;
    const learnt = (id: unknown): void => void (this.#clientId = String(id));
    // When this fails, so does the read behind it, and that failure is reported.
    connection.call('CLIENT', 'ID').then(learnt, () => void (this.#clientOf = null));
  }

  async #unblock(): Promise<void> {
    if (!this.#isUnderWay || this.#clientId === null) return;
    try {
      await this.#control.call('CLIENT', 'UNBLOCK', this.#clientId);
    } catch (error) {
      // Without the permission, or without Redis, the read ends by itself when its time is up.
      this.#failed(redisFailure(error, 'CLIENT UNBLOCK').message);
    }
  }
}
