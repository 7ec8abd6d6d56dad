import type { Handling, History, Letter, Request, Stall } from './history.js';
import { HANDLERS, isEvent, isPoison, SERVICE, subjectOf } from './plan.js';

/** Numbers of events or requests that broke a promise; `failed` and `reruns` are no promise. */
export interface Verdict {
  /** Groups and events: emitted with a confirmation, neither handled by all handlers of the group nor a dead letter of it. */
  readonly lost: number;
  /** Events that no group gets done with, and requests that are left in Redis. */
  readonly stuck: number;
  /** Requests of clients that lived that had no end, or had it after their deadline, and emits that had none. */
  readonly unsettled: number;
  /** Ends of a request beyond its first. */
  readonly doubleSettled: number;
  /** Handlings of events that nobody emitted, or by a handler of others; their dead letters; answers to what nobody executed. */
  readonly phantom: number;
  /** Requests whose answer was that of another, had other values, or ended before all of them. */
  readonly wrong: number;
  /** Executions of a request beyond its first. */
  readonly executedTwice: number;
  /** Dead letters that should not exist, or exist twice. */
  readonly badDeadLetters: number;
  readonly badExits: number;
  /** Requests that ended with an error that was not planned. */
  readonly failed: number;
  /** Handlers that succeeded with an event at one attempt more than once. */
  readonly reruns: number;
}

/** A busy machine may let a timer wait so long. */
const GRACE_MS = 1_000;

/** The ends that the handler of a request decides. */
const ANSWERS = ['ok', 'refused'];

export function verdictOn(history: History): Verdict {
  const { requests, handled, executed, letters, left, badExits } = history;
  return {
    lost: lostIn(history),
    stuck: left.events + left.requests,
    unsettled: unsettledIn(history),
    doubleSettled: requests.reduce((sum, { settled }) => sum + Math.max(0, settled.length - 1), 0),
    phantom: phantomsIn(history),
    wrong: requests.filter(({ settled }) => settled.includes('wrong')).length,
    executedTwice: repetitions(executed),
    badDeadLetters: badLetters(letters),
    badExits,
    failed: requests.filter(hasFailed).length,
    reruns: repetitions(handled.map(({ handler, number, attempt }) => `${handler} ${number} ${attempt}`)),
  };
}

/** Whether no promise is broken. */
export function isClean({ failed: _, reruns: __, ...broken }: Verdict): boolean {
  return Object.values(broken).every((count) => count === 0);
}

function lostIn({ emits, handled, letters }: History): number {
  const done = new Set(handled.map(({ handler, number }) => `${handler} ${number}`));
  const givenUp = new Set(letters.map(({ group, number }) => `${group} ${number}`));
  const isLost = (number: number, group: string, handlers: readonly string[]): boolean =>
    !givenUp.has(`${group} ${number}`) && !handlers.every((handler) => done.has(`${handler} ${number}`));
  const lostBy = (number: number): number =>
    groupsOf(number).filter(([group, handlers]) => isLost(number, group, handlers)).length;
  return emits.filter(({ outcome }) => outcome === 'ok').reduce((sum, { number }) => sum + lostBy(number), 0);
}

/** A process that was killed takes what it waited for with it. */
function unsettledIn({ emits, requests, killed, stalls }: History): number {
  const dead = new Set(killed);
  const isOpen = ({ pid, settled }: Request): boolean => settled.length === 0 && !dead.has(pid);
  const silent = emits.filter(({ pid, outcome }) => outcome === null && !dead.has(pid));
  return silent.length + requests.filter((request) => isOpen(request) || isLate(request, stalls)).length;
}

/** The time in which its process stood still does not count. */
function isLate({ pid, deadlineAtMs, settledAtMs }: Request, stalls: readonly Stall[]): boolean {
  if (settledAtMs === null) return false;
  const own = stalls.filter((stall) => stall.pid === pid);
  const shares = own.map(({ fromMs, toMs }) => Math.max(0, Math.min(toMs, settledAtMs) - Math.max(fromMs, deadlineAtMs)));
  const still = shares.reduce((sum, share) => sum + share, 0);
  return settledAtMs - deadlineAtMs - still > GRACE_MS;
}

function phantomsIn({ emits, requests, handled, executed, letters }: History): number {
  const emitted = new Set(emits.map(({ number }) => number));
  const begun = new Set(executed);
  const isOurs = (number: number, handler: string): boolean =>
    emitted.has(number) && groupsOf(number).some(([, handlers]) => handlers.includes(handler));
  const isStrange = ({ handler, number, subject }: Handling): boolean =>
    subject !== subjectOf(number) || !isOurs(number, handler);
  const isAnswered = ({ settled }: Request): boolean => settled.some((how) => ANSWERS.includes(how));
  const answered = requests.filter((request) => isAnswered(request) && !begun.has(request.number));
  return handled.filter(isStrange).length + letters.filter(({ number }) => !emitted.has(number)).length + answered.length;
}

function badLetters(letters: readonly Letter[]): number {
  const isGood = ({ group, number, reason }: Letter): boolean =>
    group === SERVICE && isPoison(number) && ['ATTEMPTS_EXHAUSTED', 'DEAD_LETTERED_BY_HANDLER'].includes(reason);
  const good = letters.filter(isGood);
  return letters.length - good.length + repetitions(good.map(({ group, number }) => `${group} ${number}`));
}

function hasFailed({ number, settled: [how] }: Request): boolean {
  return how !== undefined && !ANSWERS.includes(how) && subjectOf(number) !== 'silent';
}

/** The groups of an event, with the handlers that are to be done with it. */
function groupsOf(number: number): [group: string, handlers: readonly string[]][] {
  const subject = subjectOf(number);
  return isEvent(subject) ? Object.entries(HANDLERS[subject]) : [];
}

function repetitions(items: readonly unknown[]): number {
  return items.length - new Set(items).size;
}
