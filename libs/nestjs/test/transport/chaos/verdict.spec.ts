import { describe, expect, it } from '@jest/globals';
import type { Emit, Handling, History, Letter, Request } from './history.js';
import { AUDIT, SERVICE } from './plan.js';
import { isClean, type Verdict, verdictOn } from './verdict.js';

/** Numbers of events of `chaos.placed`, of `chaos.stock.in`, of a poison, and of requests for `sum`, `refuse` and `silent`. */
const [PLACED, OTHER_PLACED, STOCK, POISON, SUM, OTHER_SUM, REFUSE, SILENT] = [0, 1, 9, 7, 12, 13, 17, 19];

const emitted = (number: number, outcome: string | null = 'ok'): Emit => ({ pid: 1, number, outcome });
const handledBy = (handler: string, number: number, subject = 'chaos.placed'): Handling => {
  return { handler, number, subject, attempt: 1 };
};
const placed = (number: number): Handling[] => ['orders', 'stock', 'books'].map((handler) => handledBy(handler, number));
const sent = (number: number, change: Partial<Request> = {}): Request => {
  return { pid: 1, number, deadlineAtMs: 20_000, settled: ['ok'], settledAtMs: 12_000, ...change };
};
/** By a client that was killed. */
const unconfirmed: Emit = { pid: 2, number: OTHER_PLACED, outcome: null };
const letter: Letter = { group: SERVICE, number: POISON, reason: 'ATTEMPTS_EXHAUSTED' };

const good: History = {
  emits: [emitted(PLACED), emitted(STOCK), emitted(POISON)],
  requests: [sent(SUM), sent(REFUSE, { settled: ['refused'] }), sent(SILENT, { settled: ['CALL_TIMEOUT'] })],
  handled: [...placed(PLACED), handledBy('movements', STOCK, 'chaos.stock.in'), handledBy('stock', POISON), handledBy('books', POISON)],
  executed: [SUM, REFUSE, SILENT],
  letters: [letter],
  stalls: [],
  faults: [],
  killed: [],
  left: { events: 0, requests: 0 },
  badExits: 0,
};
const nothing: Verdict = {
  lost: 0, stuck: 0, unsettled: 0, doubleSettled: 0, phantom: 0, wrong: 0, executedTwice: 0, badDeadLetters: 0, badExits: 0,
  failed: 0, reruns: 0,
};

type Row = [title: string, change: Partial<History>, verdict: Partial<Verdict>];

const withEmit = (...more: Emit[]): Partial<History> => ({ emits: [...good.emits, ...more] });
const withHandled = (...more: Handling[]): Partial<History> => ({ handled: [...good.handled, ...more] });
const withRequest = (change: Partial<Request>): Partial<History> => {
  return { requests: [...good.requests, sent(OTHER_SUM, change)], executed: [...good.executed, OTHER_SUM] };
};
const withLetter = (change: Partial<Letter>): Partial<History> => ({ letters: [...good.letters, { ...letter, ...change }] });
const without = (handler: string): Partial<History> => ({ handled: good.handled.filter((each) => each.handler !== handler) });
const late: Partial<Request> = { settled: ['CALL_TIMEOUT'], settledAtMs: 24_000 };

describe('a good history', () => {
  it.each<Row>([
    ['has nothing else in it', {}, {}],
    ['has unconfirmed events that were never handled', { ...withEmit(unconfirmed, emitted(3, 'PUBLISH_TIMEOUT')), killed: [2] }, {}],
    ['has unconfirmed events that were handled', { ...withEmit(unconfirmed), ...withHandled(...placed(OTHER_PLACED)), killed: [2] }, {}],
    ['has an event whose handler ran at each of two attempts', withHandled({ ...handledBy('stock', PLACED), attempt: 2 }), {}],
    ['has an event that was handled again', withHandled(handledBy('orders', PLACED)), { reruns: 1 }],
    ['has open requests of a client that was killed', { ...withRequest({ pid: 2, settled: [], settledAtMs: null }), killed: [2] }, {}],
    ['has requests that ended with an error', withRequest({ settled: ['CALL_INDEFINITE'] }), { failed: 1 }],
    ['has an error shortly after the deadline', withRequest({ ...late, settledAtMs: 20_900 }), { failed: 1 }],
    ['has one long after it whose process stood still', { ...withRequest(late), stalls: [{ pid: 1, fromMs: 19_000, toMs: 23_500 }] }, { failed: 1 }],
    ['has requests that no handler began and that ended with an error', { ...withRequest({ settled: ['CALL_TIMEOUT'] }), executed: good.executed }, { failed: 1 }],
  ])('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(true);
  });
});

describe('a bad history', () => {
  it.each<Row>([
    ['has a confirmed event that nobody handled', withEmit(emitted(OTHER_PLACED)), { lost: 2 }],
    ['has an event that one of two handlers of a group did not do', without('orders'), { lost: 1 }],
    ['has an event that another group did not handle', { handled: good.handled.filter(({ handler, number }) => handler !== 'books' || number !== PLACED) }, { lost: 1 }],
    ['has a poison without a dead letter', { letters: [] }, { lost: 1 }],
    ['has events that are left', { left: { events: 2, requests: 0 } }, { stuck: 2 }],
    ['has requests that are left', { left: { events: 0, requests: 3 } }, { stuck: 3 }],
    ['has a request without an end', withRequest({ settled: [], settledAtMs: null }), { unsettled: 1 }],
    ['has an event whose emit never ended', withEmit(emitted(OTHER_PLACED, null)), { unsettled: 1 }],
    ['has an end long after the deadline', withRequest(late), { unsettled: 1, failed: 1 }],
    ['has one whose process stood still for too short', { ...withRequest(late), stalls: [{ pid: 1, fromMs: 15_000, toMs: 22_000 }] }, { unsettled: 1, failed: 1 }],
    ['has one while another process stood still', { ...withRequest(late), stalls: [{ pid: 2, fromMs: 19_000, toMs: 23_500 }] }, { unsettled: 1, failed: 1 }],
    ['has a request that ended twice', withRequest({ settled: ['ok', 'again'] }), { doubleSettled: 1 }],
    ['has a handled event that nobody emitted', withHandled(...placed(OTHER_PLACED)), { phantom: 3 }],
    ['has an event in a handler of another pattern', withHandled(handledBy('checks', PLACED)), { phantom: 1 }],
    ['has an event under the subject of another', withHandled(handledBy('movements', STOCK, 'chaos.stock.out')), { phantom: 1, reruns: 1 }],
    ['has a dead letter of an event that nobody emitted', withLetter({ number: 107 }), { phantom: 1 }],
    ['has an answer to a request that nobody executed', { ...withRequest({}), executed: good.executed }, { phantom: 1 }],
    ['has a planned error of a handler that did not run', { executed: [SUM, SILENT] }, { phantom: 1 }],
    ['has a request with the answer of another', withRequest({ settled: ['wrong'] }), { wrong: 1, failed: 1 }],
    ['has a request that was executed twice', { executed: [...good.executed, SUM] }, { executedTwice: 1 }],
    ['has a dead letter of an event that does not fail', withLetter({ number: PLACED }), { badDeadLetters: 1 }],
    ['has one of a group that does not fail', withLetter({ group: AUDIT }), { badDeadLetters: 1 }],
    ['has one for another reason', { letters: [{ ...letter, reason: 'CRASH_LOOP' }] }, { badDeadLetters: 1 }],
    ['has one that is there twice', withLetter({}), { badDeadLetters: 1 }],
    ['has a process that did not end well', { badExits: 1 }, { badExits: 1 }],
  ])('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(false);
  });
});
