import type { PayloadClass } from '@millrace/core';

/** Longest time that a call with one answer may take. */
export const LONGEST_ANSWER_MS = 3_600_000;

export interface GivenRules {
  readonly output: PayloadClass | undefined;
  readonly items: PayloadClass | undefined;
  readonly oneWay: boolean;
  readonly window: number | undefined;
  readonly timeoutMs: number;
}

/** @returns null when the options of a method go together */
export function misplacedOption({ output, items, oneWay, window, timeoutMs }: GivenRules): string | null {
  if (oneWay && output) return 'nobody would get its answer, since it is one-way. Leave output or oneWay out.';
  if (oneWay && items) return 'nobody would get its items, since it is one-way. Leave items or oneWay out.';
  if (items && output) return 'it answers with items, or once. Leave items or output out.';
  if (items) return null;
  if (window !== undefined) return 'a window is for streamed answers: say which class its items are, or leave window out.';
  if (timeoutMs > LONGEST_ANSWER_MS) return "its timeout must be at most '1h'; only a streamed answer may take up to '1d'.";
  return null;
}
