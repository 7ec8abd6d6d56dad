import { isEntryId } from '@millrace/core';
import { isMemberName } from '../keys.js';
import { MOST_WINDOW } from './stream-frame.js';

/** Longest time that a call may take: as long as an inbox is kept without a sign of its caller. */
export const LONGEST_BUDGET_MS = 86_400_000;
/** Longest header of a request, in UTF-16 units. */
export const MOST_HEADER = 65_536;
const MOST_METHOD = 256;

const IDEMPOTENT = 1;
const ONE_WAY = 2;

/**
 * A request as it stands in its stream. Its entry has one field: the header, whose value is the JSON text of the payload. A name
 * for each of the two would be read once more by everybody.
 */
export interface RequestFrame {
  /** By it the caller finds the call that an answer belongs to. */
  readonly correlation: number;
  readonly method: string;
  /** The member name of the caller, and of its inbox. */
  readonly inbox: string;
  /** How long the request may be begun, in milliseconds from the moment at which Redis got it. */
  readonly budgetMs: number;
  readonly isIdempotent: boolean;
  /** Nobody waits for an answer. */
  readonly isOneWay: boolean;
  /** Null: the inbox and the correlation stand for it. */
  readonly requestId: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  /** How many items of a streamed answer may be sent ahead of what the caller has taken; 0 for one answer. */
  readonly window: number;
  readonly payload: string;
}

export interface HeaderParts extends Omit<RequestFrame, 'payload' | 'method' | 'headers' | 'requestId'> {
  /** The method as JSON text. */
  readonly methodText: string;
  readonly requestId: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** `[correlation, method, inbox, budget, flags]`, then `request id, headers, window` as far as there are any. */
export function headerText(parts: HeaderParts): string {
  const { correlation, methodText, inbox, budgetMs, requestId, headers, window } = parts;
  const flags = (parts.isIdempotent ? IDEMPOTENT : 0) + (parts.isOneWay ? ONE_WAY : 0);
  const head = `[${correlation},${methodText},"${inbox}",${budgetMs},${flags}`;
  if (requestId === undefined && headers === undefined && window === 0) return `${head}]`;
  const id = requestId === undefined ? 'null' : JSON.stringify(requestId);
  if (window > 0) return `${head},${id},${headers === undefined ? 'null' : JSON.stringify(headers)},${window}]`;
  return headers === undefined ? `${head},${id}]` : `${head},${id},${JSON.stringify(headers)}]`;
}

/** @returns null for fields that are no request; never throws */
export function parseRequest(fields: unknown): RequestFrame | null {
  if (!Array.isArray(fields) || fields.length !== 2) return null;
  // By index: taking apart an array by a pattern costs a multiple of that.
  const header = fields[0] as unknown;
  const payload = fields[1] as unknown;
  if (typeof header !== 'string' || typeof payload !== 'string' || header.length > MOST_HEADER) return null;
  const parts = jsonOf(header);
  return Array.isArray(parts) ? frameOf(parts, payload) : null;
}

function frameOf(parts: readonly unknown[], payload: string): RequestFrame | null {
  const correlation = parts[0];
  const method = parts[1];
  const inbox = parts[2];
  const budgetMs = parts[3];
  const flags = parts[4];
  const requestId = parts[5] ?? null;
  const headers = parts[6] ?? null;
  const window = parts[7] ?? 0;
  if (!isWhole(correlation, Number.MAX_SAFE_INTEGER) || !isWhole(budgetMs, LONGEST_BUDGET_MS)) return null;
  if (!isWhole(flags, IDEMPOTENT + ONE_WAY)) return null;
  if (!isText(method, MOST_METHOD) || !isMemberName(inbox)) return null;
  if (!isNullOr(requestId, isEntryId) || !isNullOr(headers, isTexts)) return null;
  if (!isWindow(window, flags, requestId)) return null;
  const isIdempotent = (flags & IDEMPOTENT) !== 0;
  const isOneWay = (flags & ONE_WAY) !== 0;
  return { correlation, method, inbox, budgetMs, isIdempotent, isOneWay, requestId, headers, window, payload };
}

/** Items go to somebody who waits for them, and are not kept for a repetition. */
function isWindow(value: unknown, flags: number, requestId: string | null): value is number {
  if (value === 0) return true;
  return isWhole(value, MOST_WINDOW) && (flags & ONE_WAY) === 0 && requestId === null;
}

export function isMethodName(value: unknown): value is string {
  return isText(value, MOST_METHOD);
}

function isNullOr<T>(value: unknown, is: (each: unknown) => each is T): value is T | null {
  return value === null || is(value);
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longest;
}

function isWhole(value: unknown, highest: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= highest;
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Anything may be written by those who can write to Redis: a text that is no JSON is no request.
    return null;
  }
}
