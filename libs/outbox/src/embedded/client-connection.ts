import { timingSafeEqual, createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { asError } from '@millrace/core';
import { type Frame, FrameReader } from './frame-reader.js';
import {
  ASK_PASSWORD, asBatch, type Batch, CANCEL_REQUEST, completesBatch, ENCRYPTION_REQUESTS, fatal, NO_ENCRYPTION,
  PROTOCOL_VERSION, textOf, typeOf,
} from './protocol.js';
import type { SharedSession } from './shared-session.js';

export interface ClientRules {
  readonly password: string;
  /** How long a client may keep the database to itself without saying anything. */
  readonly idleMs: number;
}

/** Messages that go to the database; data of COPY is not among them. */
const STATEMENT_TYPES = 'QPBDECSH';
const COPY_TYPES = 'dcf';

/**
 * One client of the embedded database.
 *
 * States: start-up -> password -> idle -> waiting (for the turn) -> in turn -> idle; from each of them -> gone. A client
 * that goes while it is in turn has its transaction rolled back at once.
 */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #session: SharedSession;
  readonly #rules: ClientRules;
  readonly #reader = new FrameReader();
  readonly #batches: Batch[] = [];
  #messages: Frame[] = [];
  #greeted = false;
  #inTurn = false;
  #gone = false;
  #busy = false;
  #work: Promise<void> = Promise.resolve();
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, session: SharedSession, rules: ClientRules) {
    this.#socket = socket;
    this.#session = session;
    this.#rules = rules;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    // A close event follows each error, so the error itself needs no handling.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#leave());
  }

  /** Cuts the connection; resolves when its transaction is rolled back. */
  async destroy(): Promise<void> {
    this.#socket.destroy();
    this.#leave();
    await this.#work;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame && !this.#gone; frame = this.#reader.next()) this.#accept(frame);
    } catch (error) {
      this.#refuse('08P01', `protocol violation: ${asError(error).message}`);
    }
  }

  #accept(message: Frame): void {
    if (!this.#reader.typed) this.#acceptStartup(message);
    else if (!this.#greeted) this.#acceptPassword(message);
    else this.#acceptStatement(message);
  }

  #acceptStartup(message: Frame): void {
    const code = message.length >= 8 ? message.readInt32BE(4) : 0;
    if (ENCRYPTION_REQUESTS.includes(code)) this.#socket.write(NO_ENCRYPTION);
    else if (code === CANCEL_REQUEST) this.#socket.destroy();
    else if (code === PROTOCOL_VERSION) {
      this.#reader.typed = true;
      this.#socket.write(ASK_PASSWORD);
    } else this.#refuse('0A000', 'only version 3.0 of the protocol is supported');
  }

  #acceptPassword(message: Frame): void {
    if (typeOf(message) !== 'p' || !sameText(textOf(message), this.#rules.password)) {
      this.#refuse('28P01', 'password authentication failed');
      return;
    }
    this.#greeted = true;
    this.#socket.write(this.#session.greeting);
  }

  #acceptStatement(message: Frame): void {
    const type = typeOf(message);
    if (type === 'X') this.#socket.end();
    else if (STATEMENT_TYPES.includes(type)) this.#collect(message);
    else if (!COPY_TYPES.includes(type)) this.#refuse('08P01', `a message of type ${message[0]} is not supported`);
  }

  #collect(message: Frame): void {
    this.#messages.push(message);
    if (!completesBatch(message)) return;
    this.#batches.push(asBatch(this.#messages));
    this.#messages = [];
    this.#goOn();
  }

  #leave(): void {
    this.#gone = true;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#work = this.#runAll();
  }

  async #runAll(): Promise<void> {
    clearTimeout(this.#idleTimer);
    try {
      for (let batch = this.#batches.shift(); batch && !this.#gone; batch = this.#batches.shift()) await this.#run(batch);
    } catch (error) {
      this.#refuse(this.#session.crashed ? '57P02' : 'XX000', asError(error).message);
    }
    if (this.#gone) await this.#abandonTurn();
    else if (this.#inTurn) this.#watchIdle();
    // The state changes in the same step as the last look at the batches, so that none is left over.
    this.#busy = false;
  }

  async #run(batch: Batch): Promise<void> {
    if (!this.#inTurn) {
      await this.#session.turn.acquire();
      this.#inTurn = true;
    }
    // The client is gone: nothing was begun while it waited, and nothing is now.
    if (this.#gone) return;
    const { reply, finished } = await this.#session.execute(this, batch);
    this.#socket.write(reply);
    if (finished) this.#passTurn();
  }

  async #abandonTurn(): Promise<void> {
    if (!this.#inTurn) return;
    await this.#session.abandon();
    this.#passTurn();
  }

  #passTurn(): void {
    this.#inTurn = false;
    this.#session.turn.release();
  }

  #watchIdle(): void {
    const why = `a transaction was left idle for ${this.#rules.idleMs} ms, while all other connections waited for it`;
    this.#idleTimer = setTimeout(() => this.#refuse('25P03', why), this.#rules.idleMs);
  }

  #refuse(sqlState: string, message: string): void {
    this.#socket.end(fatal(sqlState, message));
    this.#socket.destroySoon();
    this.#leave();
  }
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}
