import { isEntryId, MillraceError, isName, quote } from '@millrace/core';
import { isMemberName, type ServiceName } from '../keys.js';
import { tooLarge } from '../wire/payload-bound.js';
import { MOST_WINDOW } from '../wire/stream-frame.js';
import { isMethodName, LONGEST_BUDGET_MS, MOST_HEADER } from '../wire/request-frame.js';

/** A call of a method of a service. */
export interface OutgoingCall extends ServiceName {
  /** 1 to 256 characters. */
  readonly method: string;
  /** JSON text. */
  readonly payloadJson: string;
  /** How long the caller waits for the answer, in milliseconds, a day at the most. With 0 or less it is rejected at once. */
  readonly timeoutMs: number;
  /** Whether it may be executed more than once: then it is sent again when Redis did not answer, and taken over. */
  readonly idempotent: boolean;
  /**
   * Stands for this request also when the caller makes the call again: 1 to 256 bytes, for idempotent methods alone. Payloads are
   * not compared: with another one, a name that was used before gets the first answer. Default: one of its own.
   */
  readonly requestId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined;
  /** Nobody waits for an answer: the call resolves with null when Redis has the request. */
  readonly oneWay?: boolean | undefined;
  /** For a streamed answer: how many items may be sent ahead of what is taken, 1 to 10,000. Default 64. */
  readonly window?: number | undefined;
  /** The member name of the instance that is to execute it. */
  readonly instance?: string | undefined;
  /** Calls with the same key go the same way, where their client goes by keys. */
  readonly key?: string | undefined;
  /** The answer goes to an inbox of the call, and the call resolves with null when Redis has the request. */
  readonly later?: LaterAnswer | undefined;
}

/** Where an answer goes that is fetched later. */
export interface LaterAnswer {
  readonly inbox: string;
  /** How long the request may be begun, in milliseconds; the time of the call is that for sending it. */
  readonly budgetMs: number;
}

/** By it the answer is found in the inbox of a call whose answer is fetched later. */
export const HANDLE_CORRELATION = 1;

/**
 * @param window how many items may be sent ahead; null for a call with one answer
 * @returns null when the call can be sent
 */
export function refusalOf(options: OutgoingCall, maxPayloadBytes: number, window: number | null): MillraceError | null {
  const problem = problemOf(options) ?? (window === null ? null : problemOfStream(options, window));
  if (problem !== null) return new MillraceError('INVALID_INPUT', `The call was not sent: ${problem}.`);
  return tooLarge('A request', options.payloadJson, maxPayloadBytes);
}

/** The names of services are looked at once, by {@link assertServiceName}. */
function problemOf({ method, payloadJson, timeoutMs, idempotent, requestId, headers, instance }: OutgoingCall): string | null {
  if (!isMethodName(method)) return 'the name of the method is no text of 1 to 256 characters';
  if (typeof payloadJson !== 'string') return 'payloadJson is no text';
  if (!(timeoutMs <= LONGEST_BUDGET_MS)) return `timeoutMs is no number of milliseconds up to ${LONGEST_BUDGET_MS}`;
  if (requestId !== undefined && !isEntryId(requestId)) return 'requestId is no text of 1 to 256 bytes, without half characters';
  if (requestId !== undefined && !idempotent) return 'a requestId is for idempotent methods alone: any other is executed again';
  if (instance !== undefined && !isMemberName(instance)) return `${quote(instance)} is not the name of an instance`;
  return headers === undefined ? null : problemOfHeaders(headers);
}

function problemOfStream({ requestId, oneWay }: OutgoingCall, window: number): string | null {
  if (!Number.isSafeInteger(window) || window < 1 || window > MOST_WINDOW) return `window is no whole number from 1 to ${MOST_WINDOW}`;
  if (requestId !== undefined) return 'a requestId is for calls with one answer: items are not kept for a repetition';
  return oneWay === true ? 'a one-way call has no answer, and so no stream of items' : null;
}

function problemOfHeaders(headers: Readonly<Record<string, unknown>>): string | null {
  let length = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') return `the header ${quote(name)} is no text`;
    length += name.length + value.length;
  }
  return length > MOST_HEADER / 8 ? `the headers have more than ${MOST_HEADER / 8} characters` : null;
}

/** @throws MillraceError INVALID_NAME */
export function assertServiceName({ service, version }: ServiceName): void {
  for (const name of [service, version]) {
    if (isName(name)) continue;
    throw new MillraceError(
      'INVALID_NAME',
      `${quote(name)} is not allowed as the name or version of a service: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or a digit.`,
    );
  }
}
