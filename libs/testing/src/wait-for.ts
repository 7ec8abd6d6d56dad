import { asError } from '@millrace/core';
import { withDeadline } from '@millrace/redis';

export interface WaitForOptions {
  /** The awaited condition, for the error: `the group to have handled 100 messages`. */
  readonly what: string;
  /** Default 10,000. */
  readonly timeoutMs?: number;
}

const POLL_MS = 10;

/**
 * Asks again and again until the condition gives something truthy, and resolves with that. A condition that throws, such as
 * a failed `expect`, counts as not fulfilled yet.
 *
 * @throws Error when the time is over: it names the condition and the last error of it
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitForOptions): Promise<NonNullable<T>> {
  const { what, timeoutMs = 10_000 } = options;
  const end = performance.now() + timeoutMs;
  let last: unknown = 'it never settled';
  const tooLate = (): Error => new Error(`Waited ${timeoutMs} ms for ${what}, in vain; last: ${shown(last)}.`, { cause: last });
  for (;;) {
    const round = attempt(condition);
    const result = await withDeadline(round, end - performance.now(), tooLate);
    if (result.value) return result.value;
    last = result.error ?? result.value;
    if (performance.now() >= end) throw tooLate();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function attempt<T>(condition: () => T | Promise<T>): Promise<{ value?: T; error?: Error }> {
  try {
    return { value: await condition() };
  } catch (thrown) {
    return { error: asError(thrown) };
  }
}

function shown(last: unknown): string {
  return last instanceof Error ? last.message : String(last);
}
