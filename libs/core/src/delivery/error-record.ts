import { asError } from '../errors.js';
import type { ErrorRecord } from './outcome.js';

const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;

/** A thrown value as bounded plain data, with the chain of causes inside the stack. */
export function errorRecord(thrown: unknown): ErrorRecord {
  const error = asError(thrown);
  const code = (error as { code?: unknown }).code;
  return {
    name: clip(error.name, 200),
    message: clip(error.message, MAX_MESSAGE),
    ...(typeof code === 'string' ? { code: clip(code, 200) } : {}),
    stack: clip(stackWithCauses(error), MAX_STACK),
  };
}

function stackWithCauses(error: Error): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    parts.push(current.stack ?? `${current.name}: ${current.message}`);
    current = current.cause;
  }
  return parts.join('\nCaused by: ');
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
