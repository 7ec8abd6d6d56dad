import { asError } from '@millrace/core';
import { isObservable, lastValueFrom } from 'rxjs';

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
