import { MillraceError } from '@millrace/nestjs';

type Headers = Readonly<Record<string, unknown>>;

const PREFIX = 'millrace-';

/** The text of a header of the request, by its name in lower case. */
export function textOf(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * What a client asks for and does not get, it would never learn: a header that begins with `Millrace-` is known or refused.
 *
 * @param known names in lower case; what ends in `-` stands for all that begin with it
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertKnown(headers: Headers, known: readonly string[]): void {
  const isKnown = (name: string): boolean => known.some((one) => (one.endsWith('-') ? name.startsWith(one) : name === one));
  const unknown = Object.keys(headers).filter((name) => name.startsWith(PREFIX) && !isKnown(name));
  if (unknown.length === 0) return;
  const list = known.map((name) => (name.endsWith('-') ? `${name}<name>` : name)).join(', ');
  throw new MillraceError('INVALID_OPTIONS', `This route does not take the header ${unknown.join(', ')}. It takes: ${list}.`);
}
