import type { Frame } from './frame-reader.js';

/**
 * The parts of the PostgreSQL protocol, version 3, that stand between a client and the embedded database. Clients send:
 * `Q` query, `P` parse, `B` bind, `D` describe, `E` execute, `C` close, `S` sync, `H` flush, `X` terminate,
 * `p` password, `d` `c` `f` data of COPY.
 */
export const PROTOCOL_VERSION = 196_608;
export const CANCEL_REQUEST = 80_877_102;
/** SSL, and encryption by GSSAPI: both are asked for before the start-up. */
export const ENCRYPTION_REQUESTS: readonly number[] = [80_877_103, 80_877_104];
export const NO_ENCRYPTION = Buffer.from('N');

export const ASK_PASSWORD = frame('R', Buffer.from([0, 0, 0, 3]));
export const SYNC = frame('S', Buffer.alloc(0));

/**
 * Ends a COPY FROM STDIN, for which the embedded database would wait without end, with an error; it is ignored everywhere
 * else.
 */
const COPY_FAIL = frame('f', text('COPY FROM STDIN is not supported by the embedded database'));

/** Settings that end the session when their time is over: the session of PGlite, and with it the process, would hang then. */
const DEADLY_SETTING = /idle_session_timeout|idle_in_transaction_session_timeout|transaction_timeout/i;
const REFUSE_SETTING = `DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000',
  MESSAGE = 'timeouts of sessions and transactions are not supported by the embedded database'; END $$`;

export function typeOf(message: Frame): string {
  return String.fromCharCode(message[0]!);
}

/** True for messages that the server answers at once, together with all messages before them. */
export function completesBatch(message: Frame): boolean {
  return 'QSH'.includes(typeOf(message));
}

/** Messages that are answered together, as they are given to the database. */
export interface Batch {
  readonly bytes: Buffer;
  /** Whether the reply reports the state of the transaction: it does unless the client only asked for the results so far. */
  readonly endsInStatus: boolean;
}

/** @param messages up to one that {@link completesBatch} */
export function asBatch(messages: readonly Frame[]): Batch {
  const last = messages.at(-1)!;
  const tail = typeOf(last) === 'Q' ? [last, COPY_FAIL] : [COPY_FAIL, last];
  const bytes = Buffer.concat([...messages.slice(0, -1), ...tail]);
  if (DEADLY_SETTING.test(bytes.toString('latin1'))) return { bytes: query(REFUSE_SETTING), endsInStatus: true };
  return { bytes, endsInStatus: typeOf(last) !== 'H' };
}

export function startup(user: string): Buffer {
  const version = Buffer.alloc(4);
  version.writeInt32BE(PROTOCOL_VERSION);
  const parameters = ['user', user, 'database', user, ''].map(text);
  return withLength(Buffer.concat([version, ...parameters]));
}

export function query(sql: string): Buffer {
  return frame('Q', text(sql));
}

/** An error after which the connection ends. */
export function fatal(sqlState: string, message: string): Buffer {
  const fields = ['SFATAL', 'VFATAL', `C${sqlState}`, `M${message}`].map(text);
  return frame('E', Buffer.concat([...fields, Buffer.from([0])]));
}

/** The text of a frame that holds nothing but one. */
export function textOf(message: Frame): string {
  return message.subarray(5, message.length - 1).toString();
}

/**
 * The state of the transaction at the end of a reply: `I` there is none, `T` open, `E` failed; null when the reply does not
 * say, because the client has not ended its batch.
 */
export function transactionStatus(reply: Buffer): string | null {
  let status: string | null = null;
  for (let at = 0; at < reply.length; at += 1 + reply.readInt32BE(at + 1)) {
    status = reply[at] === 0x5a ? String.fromCharCode(reply[at + 5]!) : null;
  }
  return status;
}

function frame(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), withLength(body)]);
}

function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}
