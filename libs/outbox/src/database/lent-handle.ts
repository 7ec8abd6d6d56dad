import { assertOutsideStep, MillraceError } from '@millrace/core';

/**
 * Runs `work` with a handle of a transaction that is of no use afterwards. A handler that goes on after its message was taken
 * away would otherwise write through a connection that someone else has by then.
 */
export async function lend<Handle extends object, T>(target: Handle, work: (handle: Handle) => Promise<T>): Promise<T> {
  let isEnded = false;
  const handle: Handle = new Proxy(target, {
    get: (object, name): unknown => {
      if (isEnded) throw ended();
      assertOutsideStep(handle);
      const value: unknown = Reflect.get(object, name);
      // A private field is there only on the object itself.
      return typeof value === 'function' && name !== 'constructor' ? (value.bind(object) as unknown) : value;
    },
  });
  try {
    return await work(handle);
  } finally {
    isEnded = true;
  }
}

function ended(): MillraceError {
  return new MillraceError('CLOSED', 'The transaction has ended already, so this was not run: await every statement before the handler returns.');
}
