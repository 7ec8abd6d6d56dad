import { emit, errorRecord, Loop } from '@millrace/core';
import { Client } from 'pg';

export interface WakeListenerParts {
  readonly url: string;
  readonly channel: string;
  /** Called for each notification, and whenever it begins to listen: what came before was not heard. */
  readonly onWake: () => void;
}

const CONNECT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const NAME = 'outbox-listen';

/**
 * Listens on one connection of its own, and on another one, after a pause, when that is lost. The relay looks for rows by itself
 * as well, so nothing is missed while there is none.
 */
export class WakeListener {
  readonly #parts: WakeListenerParts;
  readonly #loop: Loop;
  #isListening = false;

  constructor(parts: WakeListenerParts) {
    this.#parts = parts;
    this.#loop = new Loop({
      name: NAME,
      round: (signal) => this.#listen(signal),
      onError: (error, failures) => emit('loop-failed', { loop: NAME, error: errorRecord(error), failures }),
    });
  }

  get isListening(): boolean {
    return this.#isListening;
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Listens until the connection is lost, which it throws, or the signal aborts. */
  async #listen(signal: AbortSignal): Promise<number> {
    const { url: connectionString, channel, onWake } = this.#parts;
    const client = new Client({
      connectionString,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      application_name: 'millrace-outbox-listen',
    });
    const lost = lossOf(client, signal);
    try {
      await Promise.race([client.connect(), lost]);
      client.on('notification', onWake);
      await Promise.race([client.query(`LISTEN "${channel}"`), lost]);
      this.#isListening = true;
      onWake();
      await lost;
      return 0;
    } finally {
      this.#isListening = false;
      client.connection.stream.destroy();
    }
  }
}

/** Rejects when the connection is lost, and resolves when the signal aborts. */
function lossOf(client: Client, signal: AbortSignal): Promise<void> {
  const lost = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the server ended the connection on which the relay listens')));
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  // Also when nobody waits for it: an error may come while the connection is being made.
  lost.catch(() => undefined);
  return lost;
}
