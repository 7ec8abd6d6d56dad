import { HttpException } from '@nestjs/common';
import { plainData } from '@millrace/core';

/** The parts of a response that Express and Fastify both have. */
export interface HttpResponse {
  readonly statusCode: number;
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
}

/** An answer as it can be kept. */
export interface WholeAnswer {
  /** The request that it answers. */
  readonly digest: string;
  readonly status: number;
  /** Those that the handler has set. */
  readonly headers: Readonly<Record<string, string>>;
  /** The value that the handler returned, as JSON has it. Absent: nothing. */
  readonly body?: unknown;
  /** The handler threw it. */
  readonly thrown?: true;
}

/** Stands in the place of an answer that is no JSON, or too large. */
export interface UnkeptAnswer {
  readonly digest: string;
  readonly unkept: true;
}

export type KeptAnswer = WholeAnswer | UnkeptAnswer;

/** The most that is kept of an answer, headers included, in bytes of UTF-8. */
export const MOST_BYTES = 65_536;

/** These belong to one connection or one client's session, or follow from the body. */
const OWN = new Set(['set-cookie', 'connection', 'date', 'keep-alive', 'transfer-encoding', 'content-length']);

/** The headers of a response, to find those that a handler sets. */
export function headersOf(response: HttpResponse): ReadonlyMap<string, string> {
  const set = Object.entries(response.getHeaders()).filter(([name, value]) => value !== undefined && !OWN.has(name));
  return new Map(set.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]));
}

/** @param before the headers that were there before the handler ran */
export function setSince(before: ReadonlyMap<string, string>, response: HttpResponse): Record<string, string> {
  return Object.fromEntries([...headersOf(response)].filter(([name, value]) => before.get(name) !== value));
}

/**
 * Data that JSON gives back as it is, and class-transformer's decorators are asked for it; null for a stream, and anything else
 * that is no JSON.
 */
export function jsonOf(value: unknown, options: object | undefined): string | null {
  if (isStream(value)) return null;
  try {
    return textOf(plainData(value, options)) ?? null;
  } catch {
    return null;
  }
}

/** As JSON; undefined for nothing, null for what has none. */
export function textOf(value: unknown): string | null | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    // A circle, a BigInt, or a toJSON that throws: it fails the same way when it is sent.
    return null;
  }
}

/** Nest sends these piece by piece: files, streams, web responses, async iterables. */
function isStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return 'getStream' in value || 'pipe' in value || 'getReader' in value || Symbol.asyncIterator in value || value instanceof Response;
}

/**
 * The text of {@link KeptAnswer}: with the digest alone where the answer is no JSON, or has more than {@link MOST_BYTES}.
 *
 * @param json the body; undefined: there is none, null: it is no JSON
 */
export function keptText(answer: Omit<WholeAnswer, 'body'>, json: string | null | undefined): string {
  const head = JSON.stringify(answer);
  const text = json === undefined ? head : `${head.slice(0, -1)},"body":${json}}`;
  if (json !== null && Buffer.byteLength(text) <= MOST_BYTES) return text;
  return JSON.stringify({ digest: answer.digest, unkept: true } satisfies UnkeptAnswer);
}

/** A refusal by the client's own fault that will not pass: the same request gets it again. */
export function isKept(thrown: unknown): thrown is HttpException {
  return thrown instanceof HttpException && thrown.getStatus() < 500 && !PASSING.has(thrown.getStatus());
}

/** Malformed, not logged in, not allowed, too slow, too early, too often: the same request may succeed later. */
const PASSING = new Set([400, 401, 403, 408, 425, 429]);
