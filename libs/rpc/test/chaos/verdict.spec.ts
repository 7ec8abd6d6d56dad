import { describe, expect, it } from '@jest/globals';
import type { Call, End, Execution, History } from './history.js';
import { isClean, type Verdict, verdictOn } from './verdict.js';

/** Numbers of calls of each kind: `SHORT` has a short deadline, and the others have long ones. */
const [PAY, BOOK, NOTE, OTHER_NOTE, SHORT] = [12, 6, 3, 4, 15];

const called: Call = {
  caller: 0, call: PAY, begunAt: 1_000, deadlineAtMs: 20_000, settled: ['ok'], settledAt: 4_000,
  sends: 1, generous: 0, isHanging: false,
};
const executed: Execution = {
  server: 3, call: PAY, key: 'pay', begunAt: 2_000, begunAtMs: 100, storedAtMs: 90, budgetMs: 19_990, deadlineAtMs: 20_000,
  takenOver: false, endedAt: 3_000,
};
const stopped: End = { code: 0, role: 'caller', inFlight: 0, counters: {} };
const good: History = {
  calls: [called, { ...called, call: BOOK }, { ...called, call: NOTE }],
  executions: [executed, { ...executed, call: BOOK, key: 'book' }, { ...executed, call: NOTE, key: 'note' }],
  recorded: { pay: 2_500, note: 2_500 },
  ends: [stopped, { ...stopped, role: 'server' }],
  killed: [],
  left: 0,
};
const nothing: Verdict = {
  unsettled: 0, doubleSettled: 0, executedAfterDeadline: 0, dupEffects: 0, lost: 0, wrong: 0, left: 0, badExits: 0,
  failed: 0, reruns: 0,
};

type Row = [title: string, change: Partial<History>, verdict: Partial<Verdict>];

const withCall = (change: Partial<Call>): Partial<History> => ({ calls: [...good.calls, { ...called, ...change }] });
const withExecution = (change: Partial<Execution>): Partial<History> => {
  return { executions: [...good.executions, { ...executed, ...change }] };
};

describe('a good history', () => {
  it.each<Row>([
    ['has nothing else in it', {}, {}],
    ['has open calls of a process that was killed', { ...withCall({ caller: 1, settled: [] }), killed: [1] }, {}],
    ['has an idempotent request executed again before its answer was recorded', withExecution({ begunAt: 2_400 }), { reruns: 1 }],
    ['has executions that began as late as Redis had the request later', withExecution({ call: SHORT, key: 'short', begunAtMs: 590, storedAtMs: 490, budgetMs: 100, deadlineAtMs: 500 }), {}],
    ['has calls that may be repeated and ended without an answer', withCall({ settled: ['CALL_TIMEOUT'] }), { failed: 1 }],
    ['has one-way calls that were never confirmed and never executed', withCall({ call: OTHER_NOTE, settled: ['CALL_TIMEOUT'] }), { failed: 1 }],
  ])('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(true);
  });
});

describe('a bad history', () => {
  it.each<Row>([
    ['has a call that never settled', withCall({ settled: [] }), { unsettled: 1 }],
    ['has a call that settled long after its deadline', withCall({ settled: ['CLOSED'], isHanging: true }), { unsettled: 1 }],
    ['has a process that still counts calls when it has stopped', { ends: [{ ...stopped, inFlight: 2 }] }, { unsettled: 2 }],
    ['has a process that counts requests when it has stopped', { ends: [{ ...stopped, role: 'server', inFlight: -2 }] }, { unsettled: 2 }],
    ['has a call that settled twice', withCall({ settled: ['ok', 'again'] }), { doubleSettled: 1 }],
    ['has a process that counted more ends than calls', { ends: [{ ...stopped, inFlight: -1 }] }, { doubleSettled: 1 }],
    ['has an execution that began after the time of its request', withExecution({ call: SHORT, key: 'short', begunAtMs: 800, storedAtMs: 490, budgetMs: 100 }), { executedAfterDeadline: 1 }],
    [
      'has an execution after the deadline of a call that gave its request more time than it had',
      { ...withExecution({ call: SHORT, key: 'short', begunAtMs: 780, storedAtMs: 490, budgetMs: 300, deadlineAtMs: 500 }), ...withCall({ call: SHORT, generous: 1 }) },
      { executedAfterDeadline: 1 },
    ],
    ['has an idempotent request executed again after its answer was recorded', withExecution({ begunAt: 2_600 }), { dupEffects: 1, reruns: 1 }],
    ['has an idempotent request executed again after its answer had come', { ...withExecution({ begunAt: 4_100 }), recorded: {} }, { dupEffects: 1, reruns: 1 }],
    ['has another request executed twice', withExecution({ call: BOOK, key: 'book', begunAt: 1_500 }), { dupEffects: 1, reruns: 1 }],
    ['has a confirmed one-way call that was never executed', withCall({ call: OTHER_NOTE }), { lost: 1 }],
    ['has a call with the answer of another', withCall({ settled: ['wrong'] }), { wrong: 1, failed: 1 }],
    ['has requests left in Redis', { left: 3 }, { left: 3 }],
    ['has a process that stopped with an error', { ends: [{ ...stopped, code: 1 }] }, { badExits: 1 }],
  ])('%s', (_, change, verdict) => {
    expect(verdictOn({ ...good, ...change })).toEqual({ ...nothing, ...verdict });
    expect(isClean(verdictOn({ ...good, ...change }))).toBe(false);
  });
});
