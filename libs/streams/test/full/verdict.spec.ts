import { describe, expect, it } from '@jest/globals';
import type { DeadLetterRecord } from '@millrace/streams';
import { type History, isClean, type Verdict, verdictOn } from './verdict.js';

const run = (value: number, attempt = 1): { value: number; attempt: number } => ({ value, attempt });

function letter(value: number, change: Partial<DeadLetterRecord> = {}): DeadLetterRecord {
  return {
    id: '1-0',
    envelope: JSON.stringify([1, 'id', String(value), `k${value}`, null, { value }]),
    reason: 'ATTEMPTS_EXHAUSTED',
    error: { name: 'Error', message: 'as planned' },
    attempts: 3,
    crashes: 0,
    publishedAt: new Date(1),
    firstFailedAt: new Date(2),
    deadLetteredAt: new Date(3),
    redriven: 0,
    messageId: 'id',
    key: String(value),
    headers: {},
    payload: { value },
    origin: { topic: 't', partition: 0, offset: value, group: 'g' },
    ...change,
  };
}

/** Five are handled, 3 at its second attempt; 7 is poison. */
const good: History = {
  attempted: new Set([1, 2, 3, 4, 7]),
  confirmed: new Set([1, 2, 3, 7]),
  begun: [run(1), run(2), run(3), run(3, 2), run(4), run(7), run(7, 2), run(7, 3)],
  done: [run(1), run(2), run(3, 2), run(4)],
  stored: [1, 2, 3, 4, 7],
  dead: [letter(7)],
};
const nothing: Verdict = { lost: 0, phantom: 0, dupEntries: 0, reruns: 0, duplicates: 0, badDeadLetters: 0 };

it('finds nothing in a good history, whether unconfirmed messages are handled or not', () => {
  expect(verdictOn(good)).toEqual(nothing);
  expect(verdictOn({ ...good, done: good.done.slice(0, 3), stored: [1, 2, 3, 7] })).toEqual(nothing);
  expect(isClean(nothing)).toBe(true);
});

describe('a bad history', () => {
  const cases: [what: string, change: Partial<History>, verdict: Partial<Verdict>][] = [
    ['a message that nobody handled', { done: good.done.slice(1) }, { lost: 1 }],
    ['a message whose handler began and never ended', { done: [run(2), run(3, 2), run(4)], begun: [...good.begun] }, { lost: 1 }],
    ['a poison without a dead letter', { dead: [] }, { lost: 1 }],
    ['a message that nobody published', { done: [...good.done, run(99)], begun: [...good.begun, run(99)] }, { phantom: 1 }],
    ['a handler that began with a message that nobody published', { begun: [...good.begun, run(99)] }, { phantom: 1 }],
    ['a stored message that nobody published', { stored: [...good.stored, 99] }, { phantom: 1 }],
    ['a message that is stored twice', { stored: [...good.stored, 4] }, { dupEntries: 1 }],
    ['an attempt that began twice', { begun: [...good.begun, run(3, 2)] }, { reruns: 1 }],
    ['a message that was handled twice', { done: [...good.done, run(1)], begun: [...good.begun, run(1)] }, { reruns: 1, duplicates: 1 }],
    ['a dead letter of a message that never fails', { dead: [...good.dead, letter(2)] }, { badDeadLetters: 1 }],
    ['a dead letter that is there twice', { dead: [...good.dead, letter(7)] }, { badDeadLetters: 1 }],
    ['a dead letter that was handled as well', { done: [...good.done, run(7, 3)] }, { badDeadLetters: 1 }],
    ['a dead letter before its last attempt', { dead: [letter(7, { attempts: 2 })] }, { badDeadLetters: 1 }],
    ['a dead letter for another reason', { dead: [letter(7, { reason: 'CRASH_LOOP' })] }, { badDeadLetters: 1 }],
    ['a dead letter with another error', { dead: [letter(7, { error: { name: 'Error', message: 'another' } })] }, { badDeadLetters: 1 }],
    ['a dead letter whose message is damaged', { dead: [letter(7, { envelope: '[' })] }, { lost: 1, phantom: 1, badDeadLetters: 1 }],
  ];

  it.each(cases)('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(Object.keys(verdict).every((name) => name === 'reruns' || name === 'duplicates'));
  });
});
