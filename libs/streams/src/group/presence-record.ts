/** Numbers from the first to the last. */
type Run = readonly [first: number, last: number];

/**
 * The text by which a process says that it lives: a counter, the numbers of its members that are stopping, the highest number
 * that it has given to a member, and the numbers of those that are there. It does not name those that are gone, or it would
 * grow as long as the process lives.
 */
export class PresenceRecord {
  readonly #members: string;
  readonly #stopping: ReadonlySet<number>;
  readonly #highest: number;
  readonly #present: readonly Run[];

  /** @param text null for a process that was never heard: nothing is known of its members */
  constructor(text: string | null) {
    this.#members = membersIn(text);
    const [stopping = '', highest = '0', present = ''] = this.#members.split(' ');
    this.#stopping = new Set(itemsOf(stopping).map(Number));
    this.#highest = Number(highest);
    this.#present = itemsOf(present).map(runOf);
  }

  static text(count: number, { stopping, highest, present }: MembersOfProcess): string {
    return [count, [...stopping].join(','), highest, runsOf(present).map(textOf).join(',')].join(' ');
  }

  /** Whether a text names the same members. */
  isSameIn(text: string | null): boolean {
    return membersIn(text) === this.#members;
  }

  isStopping(number: number): boolean {
    return this.#stopping.has(number);
  }

  /** Whether the member is gone. A member that is newer than the record is not in it, and lives. */
  hasLeft(number: number): boolean {
    return number <= this.#highest && !this.#present.some(([first, last]) => first <= number && number <= last);
  }
}

/** The members of one process, by their numbers. */
export interface MembersOfProcess {
  readonly stopping: Iterable<number>;
  /** The highest number that any member has, or had. */
  readonly highest: number;
  /** Numbers of the present members, in ascending order. */
  readonly present: Iterable<number>;
}

/** The text without its counter. */
function membersIn(text: string | null): string {
  return text === null ? '' : text.slice(text.indexOf(' ') + 1);
}

function runsOf(numbers: Iterable<number>): Run[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function textOf([first, last]: Run): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

function runOf(text: string): Run {
  const [first = 0, last = first] = text.split('-').map(Number);
  return [first, last];
}

function itemsOf(list: string): string[] {
  return list === '' ? [] : list.split(',');
}
