import type { Run } from './shared-mode.js';

/** The ids of entries that may be settled whole, in their order: all messages of the entry are handled, and named once. */
export function wholeOf(runs: readonly Run[]): Run[] {
  const isAlone = (run: Run): boolean => runs.filter(({ token }) => token.entry === run.token.entry).length === 1;
  const whole = runs.filter((run) => isWhole(run) && isAlone(run));
  return whole.sort((one, other) => one.token.entry.ordinal - other.token.entry.ordinal);
}

function isWhole({ token: { entry }, messages, first }: Run): boolean {
  return entry.kind === 'log' && messages[0]!.offset >= 0 && first === 'handled' && messages.length === entry.messages.length;
}
