import { groupKeys, partitionKeys, presenceKey, rateKey, SETTLED_PAGE_OFFSETS, settledKey } from '../../src/keys.js';
import type { Twin } from './twin.js';

/** Offsets in a page of the bitmap: few, so that runs cross from one page into the next. */
export const PAGE = 32;
export const PER_ENTRY = 16;
export const WINDOW_MS = 10 ** 6;
const PLACE = { topic: 't', partition: 0 };

/** Numbers by which a step chooses. */
export type Draws = readonly number[];

/** One partition with one group, in both, and what its callers remember. */
export class Scenario {
  readonly twin: Twin;
  readonly keys = partitionKeys('p', PLACE.topic, PLACE.partition);
  readonly group = groupKeys('p', PLACE, 'g');
  readonly rate = rateKey('p', PLACE.topic, 'g');
  readonly published = new Map<string, number>();
  #count = 0;

  constructor(twin: Twin) {
    this.twin = twin;
  }

  run(name: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.twin.run(name, keys, args);
  }

  /** A text that no other message has. */
  envelope(): string {
    return `[1,"id/${(this.#count += 1)}","ü",null,null,{}]`;
  }

  page(number: number): string {
    return settledKey('p', { ...PLACE, group: 'g' }, number * SETTLED_PAGE_OFFSETS);
  }

  presence(process: string): string {
    return presenceKey('p', process);
  }

  /** The keys of `tend.lua` and, with meta and groups, those of `audit.lua`. */
  waitingKeys(): string[] {
    const { again, due, stats, open, body, control } = this.group;
    return [this.keys.log, again, due, stats, open, body, control];
  }

  stream(kind: string): string {
    return kind === 'log' ? this.keys.log : this.group.again;
  }

  /** `[id, member]` of entries that are held. */
  held(stream: string, group = 'g'): [string, string][] {
    return ((this.twin.peek('XPENDING', stream, group, '-', '+', 100) ?? []) as [string, string][]).map(([id, member]) => [id, member]);
  }

  entries(stream: string): [string, string[]][] {
    return (this.twin.peek('XRANGE', stream, '-', '+') ?? []) as [string, string[]][];
  }

  field(key: string, name: string): string | null {
    return this.twin.peek('HGET', key, name) as string | null;
  }
}

export function pick<T>(items: readonly T[], draw: number): T {
  return items[draw % items.length]!;
}

/** Base offset and size of an entry, by its id. */
export function spanOf(id: string): [base: number, size: number] {
  const number = Number(id.split('-')[1]);
  return [Math.floor(number / 16), (number % 16) + 1];
}
