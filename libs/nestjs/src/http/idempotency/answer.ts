import { HttpException } from '@nestjs/common';
import { plainData } from '@millrace/core';

/** The parts of a response that Express and Fastify both have. */
export interface HttpResponse {
  readonly statusCode: number;
  status(code: number): unknown;
  header(name: string, value: string): unknown;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
}

/** An answer as it is kept. */
export interface KeptAnswer {
  /** The request that it answers. */
  readonly digest: string;
  readonly status: number;
  /** Those that the handler has set. */
  readonly headers: Readonly<Record<string, string>>;
  /** The value that the handler returned, as JSON has it. Absent: nothing. */
  readonly body?: unknown;
  /** The handler threw it. */
  readonly thrown?: true;
  /** The answer is no JSON, so it was not kept. */
  readonly unkept?: true;
}

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
    return JSON.stringify(plainData(value, options)) ?? null;
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

/** A refusal by the client's own fault that will not pass: the same request gets it again. */
export function isKept(thrown: unknown): thrown is HttpException {
  return thrown instanceof HttpException && thrown.getStatus() < 500 && !PASSING.has(thrown.getStatus());
}

/** Malformed, not logged in, not allowed, too slow, too early, too often: the same request may succeed later. */
const PASSING = new Set([400, 401, 403, 408, 425, 429]);
