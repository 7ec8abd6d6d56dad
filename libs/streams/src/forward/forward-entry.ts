import type { Sendable } from './forward-text.js';

/** One entry of a forward log: messages and jobs that follow each other in one lane. */
export interface ForwardEntry {
  readonly name: EntryName;
  readonly sendables: readonly Sendable[];
}

/** The name of an entry. Numbers of a lane are dense in one generation; a new generation begins when some may have been lost. */
export interface EntryName {
  readonly text: string;
  readonly lane: string;
  readonly generation: string;
  /** The number of its first message or job. */
  readonly first: number;
  readonly count: number;
}

export function entryNameOf(text: string): EntryName {
  const [lane = '', generation = '', first, count] = text.split(':');
  return { text, lane, generation, first: Number(first), count: Number(count) };
}

/** The order in which entries of a lane are sent: generations end with the moment of their beginning. */
export function inOrder(one: EntryName, other: EntryName): number {
  if (one.generation === other.generation) return one.first - other.first;
  const [began, otherBegan] = [beginningOf(one.generation), beginningOf(other.generation)];
  return began === otherBegan ? (one.generation < other.generation ? -1 : 1) : began - otherBegan;
}

function beginningOf(generation: string): number {
  return Number(generation.split('.')[1] ?? 0);
}
