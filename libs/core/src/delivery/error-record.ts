import { asError, messageOf } from '../errors.js';
import type { ErrorRecord } from './outcome.js';

const MAX_NAME = 200;
const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;
/** Of one error in a chain, so that a long one leaves room for its cause. */
const MAX_STACK_PART = 4_000;
const MAX_CAUSES = 5;

/** A thrown value as bounded plain data, with the chain of causes inside the stack. Never throws. */
export function errorRecord(thrown: unknown): ErrorRecord {
  try {
    return recordOf(asError(thrown));
  } catch {
    // Its own code ran while it was read, and threw.
    return { name: 'Error', message: 'an error that cannot be read was thrown' };
  }
}

function recordOf(error: Error): ErrorRecord {
  const { code } = error as { code?: unknown };
  return {
    name: clip(error.name, MAX_NAME),
    message: clip(messageOf(error), MAX_MESSAGE),
    ...(typeof code === 'string' ? { code: clip(code, MAX_NAME) } : {}),
    stack: clip(chainOf(error).map(stackOf).join('\nCaused by: '), MAX_STACK),
  };
}

/** The error and what caused it, as far as those are errors; each once, since causes may go in circles. */
function chainOf(error: Error): Error[] {
  const chain = new Set([error]);
  for (let last = error; chain.size < MAX_CAUSES; ) {
    const { cause } = last;
    if (cause === undefined || cause === null || asError(cause) !== cause || chain.has(cause as Error)) break;
    last = cause as Error;
    chain.add(last);
  }
  return [...chain];
}

function stackOf(error: Error): string {
  return clip(typeof error.stack === 'string' ? error.stack : `${error.name}: ${error.message}`, MAX_STACK_PART);
}

/** Never leaves half of a surrogate pair behind. */
function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}…` : text;
}
