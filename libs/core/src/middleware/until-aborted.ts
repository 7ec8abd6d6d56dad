import { asError } from '../errors.js';

/** As `work`, but it rejects when the signal aborts, with its reason, whatever becomes of the work. */
export function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(asError(signal.reason));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop);
    void work().then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
