import { redactValue, type ValueBounds } from '../redaction.js';

/** All that an error carries beside its words. */
export interface ErrorDetails {
  /** The HTTP status that it stands for, or that a call was answered with. */
  readonly status?: number;
  /** The response of an `HttpException`, or the body that answered a failed HTTP call: plain data, bounded, without secrets. */
  readonly response?: unknown;
}

/** For the error itself, and for one inside it. */
export const OUTER_DETAILS: ValueBounds = { depth: 6, members: 50, text: 2_000, total: 8_000 };
export const INNER_DETAILS: ValueBounds = { depth: 6, members: 50, text: 500, total: 1_000 };

interface Answer {
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly body?: unknown;
  readonly data?: unknown;
}

/** The shapes in which errors of Nest, axios, got, undici and others carry an answer. */
interface Carrier extends Answer {
  readonly getStatus?: unknown;
  readonly getResponse?: unknown;
  readonly response?: Answer | null;
}

/** Reads the answer that an error carries, as far as it is known. Never throws. */
export function detailsOf(error: Error, bounds: ValueBounds): ErrorDetails {
  try {
    const carrier = error as Carrier;
    const status = statusesOf(carrier).find(isStatus);
    const answers = answersOf(carrier).map((answer) => redactValue(answer, bounds));
    const response = answers.find((answer) => answer !== undefined && answer !== '');
    return { ...(status === undefined ? {} : { status }), ...(response === undefined ? {} : { response }) };
  } catch {
    // The error's own code ran while it was read, and threw: the message of the error is kept all the same.
    return {};
  }
}

function statusesOf(carrier: Carrier): unknown[] {
  const { response, status, statusCode } = carrier;
  return [callOf(carrier, 'getStatus'), response?.status, response?.statusCode, status, statusCode];
}

/** Where an answer may be, the likeliest first. */
function answersOf(carrier: Carrier): unknown[] {
  const own = callOf(carrier, 'getResponse');
  const { response, body, data } = carrier;
  const places = [own, response?.data, response?.body, body, data];
  return places.filter((answer) => answer !== undefined && answer !== null);
}

function callOf(carrier: Carrier, method: 'getStatus' | 'getResponse'): unknown {
  const { [method]: read } = carrier;
  return typeof read === 'function' ? (Reflect.apply(read, carrier, []) as unknown) : undefined;
}

function isStatus(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
