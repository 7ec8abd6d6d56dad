import { asError, isMillraceError, MillraceError, Semaphore } from '@millrace/core';
import { PGlite } from '@electric-sql/pglite';
import { FolderLock } from './folder-lock.js';
import { type Batch, query, startup, SYNC, transactionStatus } from './protocol.js';

const USER = 'postgres';

/**
 * PGlite has one session, with one transaction, one set of settings, one unnamed statement. This shares it among connections:
 * the owner of the turn has the whole session, and keeps it until no transaction is open and no batch is unfinished. Settings,
 * prepared statements, temporary tables and locks of a session do not outlive a turn.
 */
export class SharedSession {
  /** Held by the connection that has the turn. No other may call {@link execute}. */
  readonly turn = new Semaphore(1);
  readonly #db: PGlite;
  readonly #lock: FolderLock | null;
  #greeting: Buffer = Buffer.alloc(0);
  #last: object | null = null;
  #crash: Error | null = null;

  private constructor(db: PGlite, lock: FolderLock | null) {
    this.#db = db;
    this.#lock = lock;
  }

  /**
   * @param dataDir a folder, made when it is not there; undefined keeps all data in memory
   * @throws MillraceError DATABASE_FAILED
   */
  static async open(dataDir: string | undefined): Promise<SharedSession> {
    let lock: FolderLock | null = null;
    try {
      if (dataDir !== undefined) lock = await FolderLock.take(dataDir);
      const session = new SharedSession(await PGlite.create(dataDir === undefined ? {} : { dataDir: `file://${dataDir}` }), lock);
      session.#greeting = await session.#send(startup(USER));
      return session;
    } catch (cause) {
      await lock?.release();
      if (isMillraceError(cause)) throw cause;
      const where = dataDir === undefined ? 'in memory' : `in the folder ${dataDir}`;
      throw new MillraceError('DATABASE_FAILED', `The embedded database could not be started ${where}.`, { cause });
    }
  }

  /** True when no statement will ever be answered again. */
  get crashed(): boolean {
    return this.#crash !== null;
  }

  /** The greeting of the database to an authenticated client. */
  get greeting(): Buffer {
    return this.#greeting;
  }

  /**
   * Gives a batch to the database. The leftovers of the last owner in the session are cleared before another's first batch.
   *
   * @param owner the owner of the turn
   * @returns the reply, and whether the turn may end with it
   * @throws Error when the database did not answer, or cannot any more
   */
  async execute(owner: object, batch: Batch): Promise<{ reply: Buffer; finished: boolean }> {
    if (this.#last !== owner) {
      this.#last = owner;
      await this.#send(query('DISCARD ALL'));
    }
    const reply = await this.#send(batch.bytes);
    const status = transactionStatus(reply);
    // PGlite keeps errors to itself that are not the database's, such as a statement too deep for its stack.
    if (status === null && batch.endsInStatus) throw new Error('the embedded database failed and did not answer');
    return { reply, finished: status === 'I' };
  }

  /** Ends everything that the owner of the turn left unfinished. Never throws: a failure shows again for all later owners. */
  async abandon(): Promise<void> {
    try {
      if (transactionStatus(await this.#send(SYNC)) === 'I') return;
      if (transactionStatus(await this.#send(query('ROLLBACK'))) !== 'I') throw new Error('it cannot roll back');
    } catch (error) {
      this.#crash ??= new Error(`the embedded database has crashed: ${asError(error).message}`, { cause: error });
    }
  }

  /** Call it when the turn is yours, and keep the turn. */
  async close(): Promise<void> {
    if (this.#crash === null) await this.#db.close();
    await this.#lock?.release();
  }

  async #send(message: Buffer): Promise<Buffer> {
    // PGlite does not return from a call after it has crashed.
    if (this.#crash !== null) throw this.#crash;
    const parts: Buffer[] = [];
    try {
      // PGlite returns a view into its memory, which is gone with the next call.
      const onRawData = (part: Uint8Array): void => void parts.push(Buffer.from(part));
      await this.#db.runExclusive(() => this.#db.execProtocolRawStream(message, { onRawData }));
    } catch (error) {
      this.#crash = new Error(`the embedded database has crashed: ${asError(error).message}`, { cause: error });
      throw this.#crash;
    }
    return Buffer.concat(parts);
  }
}
