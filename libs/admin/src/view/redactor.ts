import { Redaction } from './redaction.js';

/** Knows the fields that nobody sees. */
export class Redactor {
  /** By the last part of a name: most fields have none. */
  readonly #names = new Map<string, string[]>();

  /** @param names as `View` has them */
  constructor(names: readonly string[]) {
    for (const name of new Set(names.map((each) => each.toLowerCase()))) {
      const last = lastOf(name);
      this.#names.set(last, [...(this.#names.get(last) ?? []), name]);
    }
  }

  /** Whether there are no such fields. */
  get isIdle(): boolean {
    return this.#names.size === 0;
  }

  /** Whether the field at this path is one of them: `payload.card.number`, without the places of items in their lists. */
  isAt(path: string): boolean {
    const own = path.toLowerCase();
    return this.#names.get(lastOf(own))?.some((name) => own === name || own.endsWith(`.${name}`)) ?? false;
  }

  /** Whether a condition on this path would look into one of them; numbers in it may be places in lists, or names. */
  covers(path: string): boolean {
    const parts = path.split('.');
    return this.#isInside(parts) || this.#isInside(parts.filter((part) => !/^\d+$/.test(part)));
  }

  /** The redaction of one message. */
  begin(): Redaction {
    return new Redaction(this);
  }

  #isInside(parts: readonly string[]): boolean {
    return parts.some((_, index) => this.isAt(parts.slice(0, index + 1).join('.')));
  }
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
