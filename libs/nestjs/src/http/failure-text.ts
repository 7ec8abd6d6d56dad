import { errorRecord, escapeUnseen } from '@millrace/core';

/** The user and the password of a URL, which errors of drivers repeat; a password may hold an @. */
const CREDENTIALS = /(?<=:\/\/)[^\s/?#]+(?=@)/g;

export interface FailureText {
  /** One line. */
  readonly line: string;
  /** With the causes; each line but the first is indented, so that none passes for one of the log's own. */
  readonly stack: string;
}

/** An error as it may stand in a log: bounded, without credentials, and nothing that a client sent in it steers a terminal. */
export function failureText(thrown: unknown): FailureText {
  const { name, code, message, stack = '' } = errorRecord(thrown);
  const line = `${name}${code === undefined ? '' : ` (${code})`}: ${message}`;
  return { line: lines(line).join(' '), stack: lines(stack).join('\n    ') };
}

function lines(text: string): string[] {
  return text.replace(CREDENTIALS, '***').split(/\s*\r?\n\s*/).map(escapeUnseen);
}
