import { type ErrorRecord, errorRecord, escapeUnseen } from '@millrace/core';

/** The user and the password of a URL, which errors of drivers repeat; a password may hold an @. */
const CREDENTIALS = /(?<=:\/\/)[^\s/?#]+(?=@)/g;
const MAX_FRAMES = 40;

/** The text as one line that cannot forge another one, steer a terminal, or turn the direction of text. */
export function shown(text: string): string {
  return escapeUnseen(text.replace(CREDENTIALS, '***').replace(/\s*[\r\n]+\s*/g, ' '));
}

/** Several lines, such as a stack or a list of problems, each safe to show. */
export function shownLines(text: string): string {
  return text.split(/\r?\n/).map(shown).join('\n');
}

export function failureLine({ name, message }: ErrorRecord): string {
  return shown(`${name}: ${message}`);
}

/** An error as it may stand in a log: bounded, without credentials, and nothing that a client sent in it steers a terminal. */
export interface FailureText {
  /** One line. */
  readonly line: string;
  /** With the causes; each line but the first is indented, so that none passes for one of the log's own. */
  readonly stack: string;
}

export function failureText(thrown: unknown): FailureText {
  const { name, code, message, stack = '' } = errorRecord(thrown);
  const line = shown(`${name}${code === undefined ? '' : ` (${code})`}: ${message}`);
  return { line, stack: stack.split(/\s*\r?\n\s*/).map(shown).join('\n    ') };
}

/** The stack and the causes: an indented line for each frame, so that none passes for one of the log's own. */
export function stackText({ stack = '' }: ErrorRecord): string {
  const frames = stack.split(/\r?\n/).map((text) => text.trim()).filter((text) => /^(at |Caused by: )/.test(text));
  return frames.slice(0, MAX_FRAMES).map((frame) => `\n    ${shown(frame)}`).join('');
}

/** A key that is the same for failures that differ in numbers and ids alone. */
export function failureKind({ name, message, code = '', stack = '' }: ErrorRecord): string {
  const words = message.split(/\s+/).map((word) => (/\d/.test(word) ? '#' : word));
  const frame = /^ *at .*$/m.exec(stack)?.[0] ?? '';
  return [name, code, words.join(' '), frame].join('|');
}
