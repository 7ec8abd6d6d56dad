import { createHash } from 'node:crypto';
import { jsonDigest } from '@millrace/core';

/** The parts of a request that Express and Fastify both have. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  /** Express: the path of a mounted router is part of it. */
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: unknown;
}

const HEADER = 'idempotency-key';
/** As in most implementations of the draft. */
const MOST_CHARACTERS = 255;

/** A Structured Field String (RFC 9651): visible ASCII and spaces, with `"` and `\` escaped. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/;
/** Most clients send the bare text. */
const BARE = /^[!#-~][ -~]*$/;

/**
 * The key of a request: the header `Idempotency-Key`, as a quoted string or bare.
 *
 * @returns null when there is none, and '' when it can be no key
 */
export function requestKeyOf({ headers }: Pick<HttpRequest, 'headers'>): string | null {
  const header = headers[HEADER];
  if (header === undefined) return null;
  // Node joins what comes twice with a comma, so a key that holds one is not told from two: it stands for itself.
  const text = Array.isArray(header) ? header.join(', ') : header.trim();
  const quoted = QUOTED.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1');
  const key = quoted ?? (BARE.test(text) ? text : '');
  return key.length <= MOST_CHARACTERS ? key : '';
}

/** The id of the entry of a key in the ledger: short, and it holds nothing of the client. */
export function entryIdOf(client: string | number | null | undefined, key: string): string {
  return createHash('sha256').update(JSON.stringify([client ?? null, key])).digest('base64url');
}

/** Two requests with the same digest are the same one: method, address and body. */
export function requestDigest({ method, originalUrl, url, headers, body }: HttpRequest): string {
  return jsonDigest([method, originalUrl ?? url, body === undefined ? unreadBody(headers) : bodyOf(body)]);
}

/** Bytes as text, all else as JSON has it. */
function bodyOf(body: unknown): unknown {
  return Buffer.isBuffer(body) ? body.toString('base64') : body;
}

/** Nobody has read it before the route does, as a file of a form: its length is all that is known of it. Null: there is none. */
function unreadBody(headers: HttpRequest['headers']): unknown {
  const length = headers['content-length'] ?? '0';
  return length === '0' ? null : { length };
}
