import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlTransaction } from '../delivery/sql-transaction.js';
import { MillraceError } from '../errors.js';
import { quote } from '../names.js';

/** A step of a handler while it runs, for all that it calls. */
export interface RunningStep {
  readonly name: string;
  /** The steps of its attempt. */
  readonly steps: object;
  /** That of its attempt. */
  readonly transaction: SqlTransaction | undefined;
}

const current = new AsyncLocalStorage<RunningStep>();

export function runAsStep<T>(step: RunningStep, run: () => T): T {
  return current.run(step, run);
}

/**
 * The step of one attempt that calls this; undefined outside of its steps.
 *
 * @param steps those of the attempt, where it has any
 */
export function stepAmong(steps: object | undefined): RunningStep | undefined {
  const step = current.getStore();
  return step && step.steps === steps ? step : undefined;
}

/**
 * A step that is done is not run again, while what it has written in the transaction of its attempt is undone with the attempt.
 *
 * @param transaction that of an attempt, as Millrace or the application's own library has it
 * @throws MillraceError INVALID_INPUT
 */
export function assertOutsideStep(transaction: object): void {
  const step = current.getStore();
  const own = step?.transaction;
  if (own && (own === transaction || own.own?.transaction === transaction)) throw inStep(step);
}

export function inStep({ name }: RunningStep): MillraceError {
  return new MillraceError(
    'INVALID_INPUT',
    `ctx.once(${quote(name)}): a step cannot use the transaction of the handler, so nothing was run: when the attempt fails, the database undoes ` +
      'the statement, and the next attempt skips the step. Run it outside of steps: with the inbox it takes effect once by itself.',
  );
}
