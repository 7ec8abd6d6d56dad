import type { GroupState } from '@millrace/streams';
import type { Call, History } from './history.js';
import { CRASH_LIMIT, has, type Plan, SLOWEST_MS } from './plan.js';

/** The end of a run, as Redis has it. */
export interface EndState {
  readonly group: GroupState;
  /** The values in the logs, each as often as it is stored. */
  readonly stored: readonly number[];
  readonly deadLetters: readonly number[];
  /** Names of records about single messages, none of which is left when all messages are settled. */
  readonly records: readonly string[];
  /** Publishes that have neither resolved nor failed, of processes that live. */
  readonly openPublishes: number;
}

type Checked = Pick<History, 'attempted' | 'acknowledged' | 'calls' | 'presumedDeaths' | 'settledAgain' | 'sequences'>;

/** All promises that a run has broken, in words; none when all is well. */
export function brokenPromises(plan: Plan, history: Checked, end: EndState): string[] {
  const run = { plan, history, end };
  const always = [lost, phantoms, stuck, countedWrong, crashedWrong, killedTooOften, attemptedWrong, storedInDisorder];
  const checks = [...always, ...(plan.mode === 'ordered' ? [disordered, besideEachOther] : [takenWrong]), begunAfterEnd, leftOver];
  return checks.flatMap((check) => check(run));
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
  const early = end.deadLetters.filter((value) => !mayDie(plan, history, value));
  return [
    ...(strange.length > 0 ? [`phantom: ${strange.join(', ')} handled, and never published`] : []),
    ...(twice.length > 0 ? [`stored twice: ${twice.join(', ')}`] : []),
    ...(deadTwice.length > 0 && !has(plan, 'seek') ? [`dead-lettered twice: ${deadTwice.join(', ')}`] : []),
    ...(early.length > 0 ? [`dead-lettered though its handler does not always fail: ${early.join(', ')}`] : []),
  ];
}

/** So often at the least a message began that had as many crashes as it may: the first counts for all that a process held. */
const LEAST_CALLS = 2;

/** A handler of which processes died may be innocent: it ran beside another, or when a process was taken for dead. */
function mayDie({ messages }: Plan, { calls }: Checked, value: number): boolean {
  return messages[value]?.handler === 'always-fails' || calls.filter((call) => call.value === value).length >= LEAST_CALLS;
}

function stuck({ end: { group, openPublishes } }: Run): string[] {
  const { lag, pending, retrying } = group;
  const isStuck = lag !== 0 || pending !== 0 || retrying !== 0 || openPublishes !== 0;
  return isStuck ? [`stuck: lag ${lag}, pending ${pending}, retrying ${retrying}, open publishes ${openPublishes}`] : [];
}

/** Each stored message is settled once: counters that are too high tell of one that was settled twice. */
function countedWrong({ plan, history, end }: Run): string[] {
  const { group, stored, deadLetters } = end;
  const dead = deadLetters.length;
  const once = { handled: stored.length - dead, ...(has(plan, 'redrive') ? {} : { deadLettered: dead }) };
  const expected: Partial<GroupState> = { deadLetters: dead, lost: 0, ...(has(plan, 'seek') ? {} : once) };
  const retries = history.calls.filter(({ outcome }) => outcome === 'retry').length;
  const wrong = (Object.keys(expected) as (keyof GroupState)[]).filter((name) => group[name] !== expected[name]);
  return [
    ...wrong.map((name) => `counter ${name}: ${group[name]} in place of ${expected[name]}`),
    ...(group.retried > retries ? [`counter retried: ${group.retried}, but handlers asked for ${retries}`] : []),
  ];
}

/** So little is lost that no process falls silent for it. */
const FAIR = 0.01;
/** A process is dead after 0.9 of a lease; a beat is sent, and looked for, each tenth of it. */
const SLOW_FOR_LEASES = 0.7;

/** Whether no weather makes a living process look dead: slow packets do so on both of its connections, when leases are short. */
function isFair({ leaseMs, weather: { lost, silent, late, unanswered, slow } }: Plan): boolean {
  const mayBeSilent = slow > 0 && SLOWEST_MS >= leaseMs * SLOW_FOR_LEASES;
  return lost <= FAIR && unanswered <= FAIR && silent === 0 && late === 0 && !mayBeSilent;
}

function crashedWrong({ plan, history }: Run): string[] {
  if (!isFair(plan)) return [];
  const most = Math.max(0, ...history.calls.map(({ crashes }) => crashes));
  return most > history.presumedDeaths ? [`crashes: ${most} counted, while ${history.presumedDeaths} processes may have looked dead`] : [];
}

/** A message that was settled may come again when an operator asked for it. */
function mayComeAgain(plan: Plan): boolean {
  return has(plan, 'seek') || has(plan, 'redrive');
}

function killedTooOften({ plan, history }: Run): string[] {
  if (mayComeAgain(plan)) return [];
  const deaths = (value: number): number => history.calls.filter((call) => call.value === value).length;
  // A group that is destroyed takes with it how often its messages had crashed.
  const beginnings = 1 + plan.faults.filter(({ kind }) => kind === 'destroy-group').length;
  const most = (CRASH_LIMIT + 1) * beginnings;
  const often = plan.messages.filter(({ value, handler }) => handler === 'kills' && deaths(value) > most);
  return often.map(({ value }) => `crash limit: ${deaths(value)} processes died of ${value}`);
}

/** An attempt follows a handler that asked for another one. A message that came back has the attempt that it had. */
function attemptedWrong({ history }: Run): string[] {
  return history.calls.flatMap(({ value, attempt }) => {
    const retries = history.calls.filter((call) => call.value === value && call.outcome === 'retry').length;
    return attempt > retries + 1 ? [`attempt ${attempt} of ${value}, after ${retries} retries`] : [];
  });
}

/** Publishes of one process and key are stored in the order in which they were asked for. */
function storedInDisorder({ history, end }: Run): string[] {
  const places = new Map(end.stored.map((value, index) => [value, index]));
  return [...history.sequences].flatMap(([name, confirmed]) => {
    const inOrder = [...confirmed].sort((one, other) => one.askedAt - other.askedAt).map(({ value }) => value);
    const bad = inOrder.findIndex((value, index) => index > 0 && places.get(inOrder[index - 1]!)! > places.get(value)!);
    return bad < 0 ? [] : [`stored in disorder by ${name}: ${inOrder[bad]} before ${inOrder[bad - 1]}`];
  });
}

/** Faults by which others take messages from a member. */
const TAKING = ['destroy-group', 'stop', 'strand', 'seek', 'redrive'] as const;

/**
 * Nobody but others who took a member for dead, or an operator, takes its messages from it. A settlement that arrives behind its
 * own repetition is refused, too.
 */
function takenWrong({ plan, history, end: { group } }: Run): string[] {
  const mayTake = group.redelivered + history.settledAgain > 0 || plan.weather.late > 0 || TAKING.some((kind) => has(plan, kind));
  const crashed = history.calls.filter(({ crashes }) => crashes > 0).map(({ value }) => value);
  return [
    ...(group.fenced > 0 && !mayTake ? [`fenced: ${group.fenced} settlements refused, and nobody had taken the messages`] : []),
    ...(crashed.length > 0 && group.redelivered === 0 ? [`crashes counted of ${crashed.join(', ')}, and nobody was taken for dead`] : []),
  ];
}

/** A member of an ordered group begins nothing before it knows again what it owns; one of a shared group asks for less. */
function begunAfterEnd({ plan, history }: Run): string[] {
  const mayNotKnow = plan.mode === 'shared' && (plan.weather.silent > 0 || plan.weather.late > 0);
  if (mayNotKnow || mayComeAgain(plan)) return [];
  const late = history.calls.filter(({ isAfterEnd }) => isAfterEnd).map(({ value }) => value);
  return late.length > 0 ? [`begun though settled: ${late.join(', ')}`] : [];
}

function leftOver({ end: { records } }: Run): string[] {
  return records.length > 0 ? [`left over: ${records.join(', ')}`] : [];
}

/** One handler at a time has messages of a key. */
function besideEachOther({ plan, history }: Run): string[] {
  if (!isFair(plan) || has(plan, 'redis-stall') || mayComeAgain(plan)) return [];
  const both = history.calls.filter(({ beside }) => beside.length > 0).map(({ value, beside }) => `${value} beside ${beside.join(' and ')}`);
  return both.length > 0 ? [`at once: ${both.join(', ')}`] : [];
}

/** A message begins only when the one before it of the same key is settled, and that one does not come back. */
function disordered({ plan, history, end }: Run): string[] {
  if (mayComeAgain(plan)) return [];
  const dead = new Set(end.deadLetters);
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
    const bad = inOrder.findIndex((calls, index) => index > 0 && isOutOfTurn(inOrder[index - 1]!, calls, dead));
    return bad < 0 ? [] : [`order of ${key}: ${inOrder[bad]![0]!.value} began too early, or the one before it again too late`];
  });
}

/**
 * Calls are in the order in which they began. One of them settled the message; others may end at any time, and count for nothing:
 * those of a process that stood still, and was taken for dead.
 */
function isOutOfTurn(before: readonly Call[], calls: readonly Call[], dead: ReadonlySet<number>): boolean {
  const { beganAt } = calls[0]!;
  const isBuried = dead.has(before[0]!.value) && before.length >= LEAST_CALLS;
  const isSettled = isBuried || before.some(({ endedAt, outcome }) => endedAt !== null && endedAt < beganAt && isFinal(outcome));
  return !isSettled || before.at(-1)!.beganAt > beganAt;
}

function isFinal(outcome: Call['outcome']): boolean {
  return outcome === 'ack' || outcome === 'dead-letter';
}

function repeated(values: readonly number[]): number[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
