import { asError, messageOf } from '../errors.js';
import { clipText, redactClipped } from '../redaction.js';
import { detailsOf, INNER_DETAILS, OUTER_DETAILS } from './error-details.js';
import type { ErrorRecord } from './outcome.js';

const MAX_NAME = 200;
const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;
/** The bound for one error in a chain, so that a long one leaves room for its cause. */
const MAX_STACK_PART = 4_000;
const MAX_CAUSES = 5;
/** The bounds for the errors inside an error, its causes and its parts together: their number, and the length of a message. */
const MAX_INNER = 10;
const MAX_INNER_MESSAGE = 500;

/**
 * A thrown value as bounded plain data: the chain of causes is inside the stack, and with what each of them carries in `cause`.
 * Everything that looks like a secret is taken out. Never throws.
 */
export function errorRecord(thrown: unknown): ErrorRecord {
  try {
    return recordOf(asError(thrown));
  } catch {
    // Its own code ran while it was read, and threw.
    return { name: 'Error', message: 'an error that cannot be read was thrown' };
  }
}

function recordOf(error: Error): ErrorRecord {
  const stack = clipText(chainOf(error).map(stackOf).join('\nCaused by: '), MAX_STACK);
  return { ...wordsOf(error, MAX_MESSAGE), stack, ...detailsOf(error, OUTER_DETAILS), ...innerOf(error, new Set([error])) };
}

function wordsOf(error: Error, length: number): Pick<ErrorRecord, 'name' | 'message' | 'code'> {
  const code = read(error, 'code');
  return {
    name: redactClipped(error.name, MAX_NAME),
    message: redactClipped(messageOf(error), length),
    ...(typeof code === 'string' ? { code: redactClipped(code, MAX_NAME) } : {}),
  };
}

/** Undefined also when the error's own code ran and threw: the rest of the error is kept all the same. */
function read(error: Error, name: 'code' | 'cause' | 'stack'): unknown {
  try {
    return Reflect.get(error, name);
  } catch {
    // This failure is reported nowhere: the code reads an error already.
    return undefined;
  }
}

/** The errors inside an error, without their stacks; each once, since they may go in circles. */
function innerOf(error: Error, seen: Set<Error>): Pick<ErrorRecord, 'errors' | 'cause'> {
  try {
    const { errors, cause } = error as { errors?: unknown; cause?: unknown };
    const parts = Array.isArray(errors) ? errors.slice(0, MAX_INNER).flatMap((part: unknown) => innerRecord(part, seen)) : [];
    const [why] = cause === undefined || cause === null ? [] : innerRecord(cause, seen);
    return { ...(parts.length > 0 ? { errors: parts } : {}), ...(why ? { cause: why } : {}) };
  } catch {
    // Its own code ran while it was read, and threw.
    return {};
  }
}

function innerRecord(thrown: unknown, seen: Set<Error>): ErrorRecord[] {
  const error = asError(thrown);
  if (seen.has(error) || seen.size > MAX_INNER) return [];
  seen.add(error);
  return [{ ...wordsOf(error, MAX_INNER_MESSAGE), ...detailsOf(error, INNER_DETAILS), ...innerOf(error, seen) }];
}

/** The error and what caused it, as far as those are errors; each once, since causes may go in circles. */
function chainOf(error: Error): Error[] {
  const chain = new Set([error]);
  for (let last = error; chain.size < MAX_CAUSES; ) {
    const cause = read(last, 'cause');
    if (cause === undefined || cause === null || asError(cause) !== cause || chain.has(cause as Error)) break;
    last = cause as Error;
    chain.add(last);
  }
  return [...chain];
}

function stackOf(error: Error): string {
  const stack = read(error, 'stack');
  return redactClipped(typeof stack === 'string' ? stack : `${error.name}: ${error.message}`, MAX_STACK_PART);
}
