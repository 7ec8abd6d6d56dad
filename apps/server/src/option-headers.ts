import { isUtf8 } from 'node:buffer';
import { MillraceError } from '@millrace/nestjs';

/** The headers of a request that say how to publish or to enqueue, by their names in lower case. */
export type OptionHeaders = ReadonlyMap<string, string>;

const PREFIX = 'millrace-';
const IDEMPOTENCY_KEY = 'idempotency-key';

/**
 * Reads them as UTF-8, from the raw headers: Node takes every byte for a character of its own, and joins two headers of one name.
 *
 * @param rawHeaders names and values in turn
 * @throws MillraceError INVALID_OPTIONS one that is there twice, or is no UTF-8
 */
export function optionHeaders(rawHeaders: readonly string[]): OptionHeaders {
  const options = new Map<string, string>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name !== IDEMPOTENCY_KEY && !name.startsWith(PREFIX)) continue;
    if (options.has(name)) throw refused(name, 'is there twice, and they are not one: send it once');
    options.set(name, decoded(name, rawHeaders[at + 1]!));
  }
  return options;
}

/**
 * Refuses an unknown header that begins with `Millrace-`: the client would never learn that its option has no effect.
 *
 * @param known names in lower case; a name that ends in `-` stands for all that begin with it
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertKnown(options: OptionHeaders, known: readonly string[]): void {
  const all = [IDEMPOTENCY_KEY, ...known];
  const isKnown = (name: string): boolean => all.some((one) => (one.endsWith('-') ? name.startsWith(one) : name === one));
  const unknown = [...options.keys()].filter((name) => !isKnown(name));
  if (unknown.length === 0) return;
  const list = all.map((name) => (name.endsWith('-') ? `${name}<name>` : name)).join(', ');
  throw new MillraceError('INVALID_OPTIONS', `This route does not take the header ${unknown.join(', ')}. It takes: ${list}.`);
}

function decoded(name: string, value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  if (isUtf8(bytes)) return bytes.toString();
  throw refused(name, 'is not valid UTF-8, so it would be stored as something else: send it as UTF-8');
}

function refused(name: string, why: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `The header ${name} ${why}.`);
}
