import { defer, finalize, isObservable, lastValueFrom, mergeMap, Observable, of, Subscription } from 'rxjs';

/** The result of a handler as Nest gives it: a value, or an Observable, or a promise of either. */
export type Result = unknown;

/** Calls `begin` inside the hooks that an application puts around the work of a server. */
export type Around = (begin: (end: () => void) => Promise<void>) => unknown;

/**
 * Runs work inside the hooks and waits for its end. A hook may begin the work and return nothing that could be waited for.
 *
 * @throws what the work or a hook throws
 */
export function processed<T>(around: Around, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const begin = async (end: () => void): Promise<void> => {
      const working = work();
      resolve(working);
      await Promise.allSettled([working]);
      end();
    };
    Promise.resolve().then(() => around(begin)).catch(reject);
  });
}

/** Resolves when the handler has ended: an Observable when it completes, whatever it emits. */
export async function ended(result: Result): Promise<unknown> {
  const value = await result;
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value;
}

/** The values of a handler's result, inside the hooks from its call on until it has ended. Each subscription is a call. */
export function processedValues(around: Around, call: () => Result): Observable<unknown> {
  return new Observable((subscriber) => {
    const all = new Subscription();
    const begin = (end: () => void): Promise<void> => {
      const results = defer(() => Promise.resolve(call()));
      const values = results.pipe(mergeMap((value) => (isObservable(value) ? value : of(value))), finalize(end));
      all.add(values.subscribe(subscriber));
      return Promise.resolve();
    };
    Promise.resolve().then(() => around(begin)).catch((error: unknown) => subscriber.error(error));
    return all;
  });
}
