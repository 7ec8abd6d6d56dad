import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const MOST_OF_A_NAME = 10;
const MOST_NAMES = 1_000;

/**
 * The credentials that were let in last, 10 of each principal and 1,000 principals: they are looked at even where others at the
 * address of their proxy have failed too often. It holds no credential, but its digest.
 */
export class KnownCredentials {
  readonly #byName = new Map<string, Set<string>>();

  isKnown(digest: string | null): boolean {
    return digest !== null && [...this.#byName.values()].some((digests) => digests.has(digest));
  }

  learn(digest: string | null, name: string): void {
    if (digest === null) return;
    const own = this.#byName.get(name) ?? new Set();
    own.delete(digest);
    own.add(digest);
    if (own.size > MOST_OF_A_NAME) own.delete(first(own));
    this.#byName.delete(name);
    this.#byName.set(name, own);
    if (this.#byName.size > MOST_NAMES) this.#byName.delete(first(this.#byName.keys()));
  }

  forget(digest: string | null): void {
    for (const digests of this.#byName.values()) digests.delete(digest ?? '');
  }
}

/** The digest of what a request is let in by, as far as that is known; null where it has neither. */
export function credentialOf({ authorization, cookie }: IncomingHttpHeaders): string | null {
  if (authorization === undefined && cookie === undefined) return null;
  return createHash('sha256').update(JSON.stringify([authorization, cookie])).digest('base64');
}

function first<T>(values: Iterable<T>): T {
  const [value] = values;
  return value!;
}
