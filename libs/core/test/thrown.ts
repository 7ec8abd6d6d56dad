import { isMillraceError, type MillraceError } from '@millrace/core';

/** The error that `call` throws or rejects with, which must be one of ours. */
export async function thrownBy(call: () => unknown): Promise<MillraceError> {
  try {
    await call();
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}
