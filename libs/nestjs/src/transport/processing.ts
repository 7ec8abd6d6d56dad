import { asError } from '@millrace/core';
import { isObservable, lastValueFrom, Observable, takeUntil } from 'rxjs';

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

/**
 * Resolves when the handler has ended: an Observable when it completes, whatever it emits.
 *
 * @param signalOf gives the signal at which an Observable is left
 * @throws what the handler throws; the reason of the signal, when an Observable was left
 */
export async function ended(result: Result, signalOf: () => AbortSignal): Promise<unknown> {
  const value = await result;
  if (!isObservable(value)) return value;
  return lastValueFrom(value.pipe(takeUntil(abortOf(signalOf()))), { defaultValue: undefined });
}

/** Fails with the reason of the signal when it aborts. */
function abortOf(signal: AbortSignal): Observable<never> {
  return new Observable((observer) => {
    const fail = (): void => observer.error(signal.reason);
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail);
    return () => signal.removeEventListener('abort', fail);
  });
}

/** A handler that was called, and what it gave. */
export interface Begun {
  readonly result: Result;
  /** Tells the hooks that nothing more comes of it. */
  readonly end: () => void;
}

/**
 * Calls a handler inside the hooks. A hook may begin the work and return nothing that could be waited for.
 *
 * @throws what the handler or a hook throws
 */
export function begun(around: Around, call: () => Promise<Result>): Promise<Begun> {
  return new Promise((resolve, reject) => {
    const begin = async (end: () => void): Promise<void> => {
      try {
        resolve({ result: await call(), end });
      } catch (error) {
        end();
        reject(asError(error));
      }
    };
    try {
      Promise.resolve(around(begin)).catch(reject);
    } catch (error) {
      reject(asError(error));
    }
  });
}
