import type { GroupState } from '@millrace/streams';
import type { Call, History } from './history.js';
import type { Plan } from './plan.js';

/** The end of a run, as Redis has it. */
export interface EndState {
  readonly group: GroupState;
  /** The values in the logs, each as often as it is stored. */
  readonly stored: readonly number[];
  readonly deadLetters: readonly number[];
  /** Publishes that have neither resolved nor failed, of processes that live. */
  readonly openPublishes: number;
}

type Checked = Pick<History, 'attempted' | 'acknowledged' | 'calls' | 'presumedDeaths'>;

/** All promises that a run has broken, in words; none when all is well. */
export function brokenPromises(plan: Plan, history: Checked, end: EndState): string[] {
  const run = { plan, history, end };
  const shared = [lost, phantoms, stuck, countedWrong, crashedWrong];
  return (plan.mode === 'ordered' ? [...shared, disordered] : shared).flatMap((check) => check(run));
}

interface Run {
  readonly plan: Plan;
  readonly history: Checked;
  readonly end: EndState;
}

function lost({ history, end }: Run): string[] {
  const handled = new Set(history.calls.filter(({ outcome }) => outcome === 'ack').map(({ value }) => value));
  const dead = new Set(end.deadLetters);
  const missing = [...history.acknowledged].filter((value) => !handled.has(value) && !dead.has(value));
  return missing.length > 0 ? [`lost: ${missing.join(', ')} acknowledged, and neither handled nor dead-lettered`] : [];
}

function phantoms({ plan, history, end }: Run): string[] {
  const strange = history.calls.filter(({ value }) => !history.attempted.has(value)).map(({ value }) => value);
  const twice = repeated(end.stored);
  const deadTwice = repeated(end.deadLetters);
  const early = end.deadLetters.filter((value) => plan.messages[value]?.handler !== 'always-fails');
  return [
    ...(strange.length > 0 ? [`phantom: ${strange.join(', ')} handled, and never published`] : []),
    ...(twice.length > 0 ? [`stored twice: ${twice.join(', ')}`] : []),
    ...(deadTwice.length > 0 ? [`dead-lettered twice: ${deadTwice.join(', ')}`] : []),
    ...(early.length > 0 ? [`dead-lettered though its handler does not always fail: ${early.join(', ')}`] : []),
  ];
}

function stuck({ end: { group, openPublishes } }: Run): string[] {
  const { lag, pending, retrying } = group;
  const isStuck = lag !== 0 || pending !== 0 || retrying !== 0 || openPublishes !== 0;
  return isStuck ? [`stuck: lag ${lag}, pending ${pending}, retrying ${retrying}, open publishes ${openPublishes}`] : [];
}

/** Each stored message is settled once: counters that are too high tell of one that was settled twice. */
function countedWrong({ history, end }: Run): string[] {
  const { group, stored, deadLetters } = end;
  const dead = deadLetters.length;
  const expected = { handled: stored.length - dead, deadLettered: dead, deadLetters: dead, lost: 0 };
  const retries = history.calls.filter(({ outcome }) => outcome === 'retry').length;
  const wrong = (Object.keys(expected) as (keyof typeof expected)[]).filter((name) => group[name] !== expected[name]);
  return [
    ...wrong.map((name) => `counter ${name}: ${group[name]} in place of ${expected[name]}`),
    ...(group.retried > retries ? [`counter retried: ${group.retried}, but handlers asked for ${retries}`] : []),
  ];
}

/** So little is lost that no process falls silent for it. */
const FAIR = 0.01;

function crashedWrong({ plan: { weather }, history }: Run): string[] {
  if (weather.lost > FAIR || weather.silent > 0) return [];
  const most = Math.max(0, ...history.calls.map(({ crashes }) => crashes));
  return most > history.presumedDeaths ? [`crashes: ${most} counted, while ${history.presumedDeaths} processes may have looked dead`] : [];
}

/** A message begins only when the one before it of the same key is settled, and that one does not come back. */
function disordered({ plan, history }: Run): string[] {
  const byKey = new Map<string, Map<number, Call[]>>();
  for (const call of history.calls) {
    const key = plan.messages[call.value]?.key;
    if (!key) continue;
    const byOffset = byKey.get(key) ?? new Map<number, Call[]>();
    byKey.set(key, byOffset);
    byOffset.set(call.place.offset, [...(byOffset.get(call.place.offset) ?? []), call]);
  }
  return [...byKey].flatMap(([key, byOffset]) => {
    const inOrder = [...byOffset].sort(([one], [other]) => one - other).map(([, calls]) => calls);
    const bad = inOrder.findIndex((calls, index) => index > 0 && isOutOfTurn(inOrder[index - 1]!, calls));
    return bad < 0 ? [] : [`order of ${key}: ${inOrder[bad]![0]!.value} began too early, or the one before it again too late`];
  });
}

/**
 * Calls are in the order in which they began. One of them settled the message; others may end at any time, and count for nothing:
 * those of a process that stood still, and was taken for dead.
 */
function isOutOfTurn(before: readonly Call[], calls: readonly Call[]): boolean {
  const { beganAt } = calls[0]!;
  const isSettled = before.some(({ endedAt, outcome }) => endedAt !== null && endedAt < beganAt && isFinal(outcome));
  return !isSettled || before.at(-1)!.beganAt > beganAt;
}

function isFinal(outcome: Call['outcome']): boolean {
  return outcome === 'ack' || outcome === 'dead-letter';
}

function repeated(values: readonly number[]): number[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
