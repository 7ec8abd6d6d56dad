import type { DeadLetterRecord } from '@millrace/streams';
import { ATTEMPTS, fails, keyOf } from './plan.js';
import { ASLEEP_US } from './overtaken.js';
import type { Run } from './run.js';
import type { History, Verdict } from './verdict.js';

/** A history that differs from a good one, and the figures that it must give beside 0. */
export type Case = readonly [title: string, change: Partial<History>, verdict: Partial<Verdict>];

/** Two messages of one key behind each other, and one of another key. */
const [FIRST, SECOND, OTHER] = pairAndOther();

function pairAndOther(): [number, number, number] {
  const plain = Array.from({ length: 500 }, (_, value) => value).filter((value) => !fails(value, 1));
  const first = plain[0]!;
  const second = plain.find((value) => value > first && keyOf(value) === keyOf(first))!;
  return [first, second, plain.find((value) => keyOf(value) !== keyOf(first))!];
}

let now = 0;

/** A run after all others, by worker 0 under epoch 1, settled. */
function run(value: number, change: Partial<Run> = {}): Run {
  const { attempt = 1 } = change;
  const isSuccess = !fails(value, attempt);
  const settledAs = isSuccess ? 'ack' : attempt === ATTEMPTS ? 'dead' : null;
  const place = { partition: 0, offset: value, crashes: 0, worker: 0, epoch: 1 };
  const moments = { begunAt: (now += 10), endedAt: (now += 10), settledAt: (now += 10) };
  return { value, attempt, ...place, ...moments, isSuccess, settledAs, ...change };
}

/** The process was killed while it ran. */
const cutOff: Partial<Run> = { endedAt: null, settledAt: null, isSuccess: false, settledAs: null };
/** The settlement was refused. */
const fenced: Partial<Run> = { settledAt: null, settledAs: null };

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

const poison = [run(7), run(7, { attempt: 2 }), run(7, { attempt: 3 })];
const twice = [run(3), run(3, { attempt: 2 })];
const plain = [run(FIRST), run(SECOND), run(OTHER)];
/** Plain ones are handled at once, 3 at its second attempt; 7 is poison. Nobody knows whether 4 was published. */
export const good: History = {
  mode: 'ordered',
  attempted: new Set([FIRST, SECOND, OTHER, 3, 4, 7]),
  confirmed: new Set([FIRST, SECOND, OTHER, 3, 7]),
  runs: [...poison, ...twice, ...plain],
  stored: [FIRST, SECOND, OTHER, 3, 7],
  dead: [letter(7)],
  left: 0,
};
const without = (value: number): Run[] => good.runs.filter((each) => each.value !== value);
export const nothing: Verdict = {
  lost: 0, phantom: 0, dupEntries: 0, dupEffects: 0, order: 0, twoOwners: 0, stuck: 0, badDeadLetters: 0,
  reruns: 0, duplicates: 0, overtaken: 0,
};

/** Worker 0 begins FIRST and freezes; worker 1 handles both messages of the key; then worker 0 goes on. */
function takenOver(late: Partial<Run>): Run[] {
  const frozen = run(FIRST);
  const next = { worker: 1, epoch: 2 };
  const others = [run(FIRST, next), run(SECOND, next)];
  return [{ ...frozen, endedAt: (now += 10), settledAt: (now += 10), ...late }, ...others];
}

/** Worker 0 is halted when it has decided to begin FIRST, and goes on when worker 1 has handled both messages of the key. */
function overtakenRuns(asleepUs: number, late: Partial<Run> = fenced): Run[] {
  const before = run(OTHER);
  const others = [run(FIRST, { worker: 1, epoch: 2 }), run(SECOND, { worker: 1, epoch: 2 })];
  now = Math.max(now, before.settledAt! + asleepUs);
  return [before, ...others, run(FIRST, late)];
}

/** SECOND runs before FIRST. */
export function swapped(): Run[] {
  const late = run(SECOND);
  return [late, run(FIRST)];
}

/** SECOND begins while FIRST is still running. */
function tooEarly(): Run[] {
  const first = run(FIRST);
  return [{ ...first, endedAt: (now += 100), settledAt: (now += 10) }, run(SECOND, { begunAt: first.begunAt + 1 })];
}

/** The next message of the key of 13, which fails once. */
function afterRetry(): number {
  const values = Array.from({ length: 500 }, (_, index) => 14 + index);
  return values.find((value) => keyOf(value) === keyOf(13) && !fails(value, 1))!;
}

function retryBehind(): Run[] {
  return [run(13), run(afterRetry()), run(13, { attempt: 2 })];
}

export const GOOD: readonly Case[] = [
  ['as it is', {}, {}],
  ['with an unconfirmed message that was handled', { runs: [...good.runs, run(4)], stored: [...good.stored, 4] }, {}],
  ['with a run that was cut off, and run again', { runs: [...without(OTHER), run(OTHER, cutOff), run(OTHER)] }, { reruns: 1 }],
  ['with a run whose process was killed before it knew of its settlement', {
    runs: good.runs.map((each) => (each === plain[0] ? { ...each, ...fenced } : each)),
  }, {}],
  ['with a frozen run that ends late, when its key has gone on under another owner', {
    runs: [...without(FIRST).filter(({ value }) => value !== SECOND), ...takenOver(fenced)],
  }, { reruns: 1, duplicates: 1 }],
  ['with a run that begins late, since its process was halted, when its key has gone on under another owner', {
    runs: [...poison, ...twice, ...overtakenRuns(ASLEEP_US)],
  }, { reruns: 1, duplicates: 1, overtaken: 1 }],
  ['with a run at an offset that a failover took back', {
    runs: [run(OTHER, { ...fenced, offset: 90_000, begunAt: 1, endedAt: 2 }), ...good.runs],
  }, { reruns: 1, duplicates: 1 }],
  ['with another owner later', { runs: [...without(OTHER), run(OTHER, { worker: 1, epoch: 2 })] }, {}],
];

const rest = without(FIRST).filter(({ value }) => value !== SECOND);
const during: Partial<Run> = { worker: 1, epoch: 2, begunAt: plain[0]!.begunAt + 1 };
export const BAD: readonly Case[] = [
  ['a message that nobody handled', { runs: without(OTHER) }, { lost: 1 }],
  ['a message whose handler began and never ended', { runs: [...without(OTHER), run(OTHER, cutOff)] }, { lost: 1 }],
  ['a poison without a dead letter', { dead: [] }, { lost: 1 }],
  ['a handler that ran with a message that nobody published', { runs: [...good.runs, run(99)] }, { phantom: 1 }],
  ['a handler that began with a message that nobody published', { runs: [...good.runs, run(99, cutOff)] }, { phantom: 1 }],
  ['a stored message that nobody published', { stored: [...good.stored, 99] }, { phantom: 1 }],
  ['a message that is stored twice', { stored: [...good.stored, OTHER] }, { dupEntries: 1 }],
  ['a handled message whose handler runs again', { runs: [...good.runs, run(OTHER)] }, { dupEffects: 1, reruns: 1, duplicates: 1 }],
  ['a dead-lettered message whose handler runs again', { runs: [...good.runs, run(7, { attempt: 3 })] }, { dupEffects: 1, reruns: 1 }],
  ['a late run of a process that was not halted', {
    runs: [...poison, ...twice, ...overtakenRuns(0)],
  }, { dupEffects: 1, order: 1, reruns: 1, duplicates: 1 }],
  ['a late run that was settled', {
    runs: [...poison, ...twice, ...overtakenRuns(ASLEEP_US, {})],
  }, { dupEffects: 1, order: 1, twoOwners: 1, reruns: 1, duplicates: 1 }],
  ['a second late run after one halt', {
    runs: [...poison, ...twice, ...overtakenRuns(ASLEEP_US), run(SECOND, fenced)],
  }, { dupEffects: 1, reruns: 2, duplicates: 2, overtaken: 1 }],
  ['an order that is swapped', { runs: [...rest, ...swapped()] }, { order: 1 }],
  ['a message that begins while its predecessor runs', { runs: [...rest, ...tooEarly()] }, { order: 1 }],
  ['a message that begins though its predecessor never ended', {
    runs: [...rest, run(FIRST, cutOff), run(SECOND)],
  }, { lost: 1, order: 1 }],
  ['a message that runs again when the next of its key has begun', {
    runs: [...rest, run(FIRST, fenced), run(SECOND), run(FIRST, { worker: 1, epoch: 2 })],
  }, { order: 1, reruns: 1, duplicates: 1 }],
  ['a retry behind the next of its key', {
    attempted: new Set([...good.attempted, 13, afterRetry()]), runs: [...good.runs, ...retryBehind()],
  }, { order: 1 }],
  ['two owners at once', { runs: [...without(OTHER), run(OTHER, { ...during, endedAt: plain[0]!.endedAt })] }, { twoOwners: 1 }],
  ['an owner that settles after the next one did', {
    runs: [...without(OTHER), run(OTHER), run(4, { worker: 1, epoch: 0 })],
  }, { twoOwners: 1 }],
  ['an epoch with two owners', { runs: [...without(OTHER), run(OTHER, { worker: 1 })] }, { twoOwners: 1 }],
  ['messages that are left', { left: 2 }, { stuck: 2 }],
  ['a dead letter of a message that never fails', { dead: [...good.dead, letter(4)] }, { badDeadLetters: 1 }],
  ['a dead letter that is there twice', { dead: [...good.dead, letter(7)] }, { badDeadLetters: 1 }],
  ['a dead letter that was handled as well', {
    runs: good.runs.map((each) => (each === poison[2] ? { ...each, isSuccess: true } : each)),
  }, { badDeadLetters: 1 }],
  ['a dead letter before its last attempt', { dead: [letter(7, { attempts: 2 })] }, { badDeadLetters: 1 }],
  ['a dead letter for another reason', { dead: [letter(7, { reason: 'CRASH_LOOP' })] }, { badDeadLetters: 1 }],
  ['a dead letter with another error', { dead: [letter(7, { error: { name: 'Error', message: 'another' } })] }, { badDeadLetters: 1 }],
  ['a dead letter whose message is damaged', { dead: [letter(7, { envelope: '[' })] }, { lost: 1, phantom: 1, badDeadLetters: 1 }],
];
