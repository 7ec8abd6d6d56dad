import { expect, it } from '@jest/globals';
import type { GroupState } from '@millrace/streams';
import type { Call } from '../src/history.js';
import { brokenPromises, type EndState } from '../src/invariants.js';
import type { Mode } from '../src/mode.js';
import { planOf } from '../src/plan.js';

const counters = { handled: 2, deadLettered: 0, deadLetters: 0, lost: 0, retried: 0, redelivered: 0, fenced: 0 };
const group: Partial<GroupState> = { ...counters, lag: 0, pending: 0, retrying: 0 };

const calls = [call(0, { beganAt: 1, endedAt: 2 }), call(1, { beganAt: 3, endedAt: 4 })];
const sequences = new Map<string, { value: number; askedAt: number }[]>();
const counted = { presumedDeaths: 0, settledAgain: 0 };
const history = { attempted: new Set([0, 1]), acknowledged: new Set([0, 1]), calls, ...counted, sequences };
const end = { group, stored: [0, 1], deadLetters: [], records: [], openPublishes: 0 };

function call(value: number, facts: Partial<Call> = {}): Call {
  const place = { partition: 0, offset: value };
  const usual = { attempt: 1, crashes: 0, beganAt: 1, endedAt: 2, outcome: 'ack', isAfterEnd: false, beside: [] } as const;
  return { value, process: 'p', key: 'k', place, ...usual, ...facts };
}

interface Changes {
  readonly history?: Partial<typeof history>;
  readonly end?: Partial<typeof end>;
  readonly mode?: Mode;
  readonly leaseMs?: number;
  /** The share of slow packets. */
  readonly slow?: number;
}

/** All messages have one key, and good handlers. */
function broken({ history: otherHistory = {}, end: otherEnd = {}, mode = 'shared', leaseMs = 300, slow = 0 }: Changes): string[] {
  const plan = { ...planOf(1, mode), leaseMs };
  const messages = plan.messages.map((message) => ({ ...message, key: 'k', handler: 'good' as const }));
  const weather = { lost: 0, silent: 0, slow, late: 0, unanswered: 0, unheard: 0 };
  const checked = { ...history, ...otherHistory };
  return brokenPromises({ ...plan, messages, weather, faults: [] }, checked, { ...end, ...otherEnd } as EndState);
}

it('finds nothing in a good run', () => {
  expect(broken({})).toEqual([]);
  expect(broken({ mode: 'ordered' })).toEqual([]);
});

it.each<[string, Changes, string]>([
  ['a message that is gone', { history: { calls: calls.slice(1) } }, 'lost: 0 acknowledged, and neither handled nor dead-lettered'],
  ['a message that nobody published', { history: { attempted: new Set([0]) } }, 'phantom: 1 handled, and never published'],
  ['a message that is stored twice', { end: { stored: [0, 1, 1], group: { ...group, handled: 3 } } }, 'stored twice: 1'],
  ['a message that was settled twice', { end: { group: { ...group, handled: 3 } } }, 'counter handled: 3 in place of 2'],
  ['a loss that the engine counts', { end: { group: { ...group, lost: 1 } } }, 'counter lost: 1 in place of 0'],
  ['a retry that no handler asked for', { end: { group: { ...group, retried: 1 } } }, 'counter retried: 1, but handlers asked for 0'],
  ['a message that is left over', { end: { group: { ...group, pending: 1 } } }, 'stuck: lag 0, pending 1, retrying 0, open publishes 0'],
  ['a publish without an end', { end: { openPublishes: 1 } }, 'stuck: lag 0, pending 0, retrying 0, open publishes 1'],
  ['a crash of a healthy process', {
    end: { group: { ...group, redelivered: 1 } }, history: { calls: [call(0, { crashes: 1 }), calls[1]!] },
  }, 'crashes: 1 counted, while 0 processes may have looked dead'],
  ['a crash though nobody was taken for dead', {
    history: { calls: [call(0, { crashes: 1 }), calls[1]!], presumedDeaths: 1 },
  }, 'crashes counted of 0, and nobody was taken for dead'],
  ['a settlement that is refused for no reason', {
    end: { group: { ...group, fenced: 1 } },
  }, 'fenced: 1 settlements refused, and nobody had taken the messages'],
  ['an attempt too many', { history: { calls: [call(0, { attempt: 2 }), calls[1]!] } }, 'attempt 2 of 0, after 0 retries'],
  ['a message that begins though it is settled', {
    history: { calls: [call(0, { isAfterEnd: true }), calls[1]!] },
  }, 'begun though settled: 0'],
  ['a record of a message that is settled', { end: { records: ['0 tried:1'] } as never }, 'left over: 0 tried:1'],
  ['a message that has two handlers', {
    mode: 'ordered', history: { calls: [call(0, { beside: [0] }), calls[1]!] },
  }, 'at once: 0 beside 0'],
  ['publishes of a key that are stored in disorder', {
    history: { sequences: new Map([['p k', [{ value: 1, askedAt: 1 }, { value: 0, askedAt: 2 }]]]) },
  }, 'stored in disorder by p k: 0 before 1'],
  [
    'a good message among the dead letters',
    { end: { deadLetters: [1], group: { ...group, handled: 1, deadLettered: 1, deadLetters: 1 } as never } as never },
    'dead-lettered though its handler does not always fail: 1',
  ],
  ['a message that began while the one before it ran', {
    mode: 'ordered', history: { calls: [call(0, { beganAt: 1, endedAt: 4 }), call(1, { beganAt: 3, endedAt: 5 })] },
  }, 'order of k: 1 began too early, or the one before it again too late'],
  ['a message that came again after a later one', {
    mode: 'ordered', history: { calls: [...calls, call(0, { beganAt: 5, endedAt: 6 })] },
  }, 'order of k: 1 began too early, or the one before it again too late'],
])('finds %s', (_, changes, reason) => {
  expect(broken(changes)).toEqual([reason]);
});

it('blames nobody for a crash where slow packets make a living process look dead, and does where leases are longer', () => {
  const redelivered = { group: { ...group, redelivered: 1 } };
  const crashed = { end: redelivered, history: { calls: [call(0, { crashes: 1 }), calls[1]!] }, slow: 0.05 };
  expect(broken({ ...crashed, leaseMs: 300 })).toEqual([]);
  expect(broken({ ...crashed, leaseMs: 500 })).toEqual(['crashes: 1 counted, while 0 processes may have looked dead']);
});
