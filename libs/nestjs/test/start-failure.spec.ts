import { describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import { MillraceError } from '@millrace/nestjs';
import { reportStartFailure } from '../src/worker/start-failure.js';

/** The log of a failure. */
function report(thrown: unknown, debug = false): string[] {
  const lines: string[] = [];
  const logger: LoggerService = {
    log: () => lines.push('log'),
    warn: () => lines.push('warn'),
    error: (message: string, context: string) => lines.push(`${context}: ${message}`),
  };
  reportStartFailure(thrown, { logger, debug });
  return lines;
}

describe('the report of a failed start', () => {
  const ours = new MillraceError('INVALID_OPTIONS', 'Two things are wrong.', { problems: ['one', 'two'], cause: new Error('below') });

  it('is the message of an error of ours, with all problems and no stack', () => {
    expect(report(ours)).toEqual(['Millrace: Cannot start: INVALID_OPTIONS: Two things are wrong.\n  - one\n  - two']);
  });

  it('has the stack and the causes where they are wanted', () => {
    const [text] = report(ours, true);
    expect(text).toContain('Cannot start: INVALID_OPTIONS: MillraceError: Two things are wrong.');
    expect(text).toMatch(/\n {4}at /);
    expect(text).toContain('Caused by: Error: below');
  });

  it('escapes what steers a terminal or turns text, and hides credentials', () => {
    const error = new Error('red \u001b[31m \u202eturned redis://user:pass@host');
    error.stack = `Error: ${error.message}\n    at f (a.ts:1:1)`;
    expect(report(error)).toEqual(['Millrace: Cannot start: Error: red \\u001b[31m \\u202eturned redis://***@host\n    at f (a.ts:1:1)']);
  });

  it('has the stack of other errors, and copes with what is none', () => {
    expect(report(new TypeError('theirs'))[0]).toMatch(/^Millrace: Cannot start: TypeError: theirs\n {4}at /);
    expect(report('a text')[0]).toContain('Cannot start: Error: a text');
  });
});
