import { isMillraceError, MillraceError } from '../errors.js';

type Checks = Readonly<Record<string, () => unknown>>;
type Values<T extends Checks> = { [K in keyof T]: ReturnType<T[K]> };

/**
 * Runs all checks and returns their values by name.
 *
 * @throws MillraceError what they found, together
 */
export function checkAll<T extends Checks>(message: string, checks: T): Values<T> {
  const values = checkEach(message, Object.entries(checks), ([name, check]) => [name, check()]);
  return Object.fromEntries(values) as Values<T>;
}

/**
 * Runs a check on each item and returns its values in order.
 *
 * @throws MillraceError what they found, together
 */
export function checkEach<I, O>(message: string, items: readonly I[], check: (item: I) => O): O[] {
  const errors: MillraceError[] = [];
  const values = items.flatMap((item) => {
    try {
      return [check(item)];
    } catch (thrown) {
      if (!isMillraceError(thrown)) throw thrown;
      errors.push(thrown);
      return [];
    }
  });
  throwTogether(message, errors);
  return values;
}

/** @throws MillraceError the only error there is, or one with the code of the first that lists all of them */
export function throwTogether(message: string, errors: readonly MillraceError[]): void {
  const [first] = errors;
  if (!first) return;
  if (errors.length === 1) throw first;
  throw new Problems(first.code, message, { problems: errors.flatMap(problemsOf) });
}

/** Its problems say where they are. */
class Problems extends MillraceError {}

function problemsOf(error: MillraceError): readonly string[] {
  if (error instanceof Problems) return error.problems;
  if (error.problems.length === 0) return [error.message];
  const place = error.message.split('\n')[0]!.replace(/ is not configured well\.$/, '');
  return error.problems.map((problem) => `${place}: ${problem}`);
}
