import { asError, isMillraceError, MillraceError } from '../errors.js';

/** Getters and transformations are code of the user, which may throw. */
export function withOwnCode<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    if (isMillraceError(thrown)) throw thrown;
    const cause = asError(thrown);
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload cannot be written as JSON: ${cause.message}`, { cause });
  }
}
