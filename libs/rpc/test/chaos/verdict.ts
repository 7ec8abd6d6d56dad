import type { Call, End, Execution, History } from './history.js';
import { aboutOf, isIdempotent, isOneWay, LONG_MS, methodOf, timeoutMsOf } from './plan.js';

/** Numbers of calls or executions that broke a promise; `failed`, `reruns` and `overtaken` are no promise. */
export interface Verdict {
  /** Calls of processes that lived to their end that never settled, and calls and requests that were miscounted at an end. */
  readonly unsettled: number;
  /** Settlements beyond the first of each call. */
  readonly doubleSettled: number;
  /** Executions that began after the time of the call; see {@link isLate}. */
  readonly executedAfterDeadline: number;
  /**
   * Executions of a method that is idempotent which began when a process knew that the ledger had the answer, or a caller had the
   * answer, and executions of others beyond the first of each request.
   */
  readonly dupEffects: number;
  /** One-way calls that were confirmed, have a long deadline, may be repeated, and were never executed. */
  readonly lost: number;
  /** Calls that were given the answer of another one. */
  readonly wrong: number;
  /** Requests that were in Redis when all calls had settled. */
  readonly left: number;
  /** Processes that were asked to stop and did not end with code 0. */
  readonly badExits: number;
  /** Calls that may be repeated and have a long deadline, and ended without an answer of the method. */
  readonly failed: number;
  /** Executions beyond the first of each request that an idempotent method allows. */
  readonly reruns: number;
}

/**
 * For whole milliseconds, and for the system, which may let others run between the look of the library at the clock and the first
 * line of the method.
 */
const GRACE_MS = 200;

export function verdictOn(history: History): Verdict {
  const { calls, executions, recorded, ends, left } = history;
  const generous = new Set(calls.filter((call) => call.generous > 0).map(({ call }) => call));
  const requests = groupedByKey(executions);
  const answeredAt = answeredIn(calls);
  const doneAt = ({ call, key }: Execution): number =>
    Math.min(recorded[key] ?? Infinity, answeredAt.get(aboutOf(call)) ?? Infinity);
  return {
    unsettled: unsettledIn(history) + sum(ends.map(miscountedAt)),
    doubleSettled: sum(calls.map(({ settled }) => Math.max(0, settled.length - 1))) + sum(ends.map(settledTwiceAt)),
    executedAfterDeadline: executions.filter((execution) => isLate(execution, generous.has(execution.call))).length,
    dupEffects: sum(requests.map((ofRequest) => dupEffectsIn(ofRequest, doneAt(ofRequest[0]!)))),
    lost: lostIn(history),
    wrong: calls.filter(({ settled }) => settled.includes('wrong')).length,
    left,
    badExits: ends.filter(({ code }) => code !== 0).length,
    failed: calls.filter(hasFailed).length,
    reruns: sum(requests.map(({ length }) => length - 1)),
  };
}

/** Whether no promise is broken. */
export function isClean({ failed: _, reruns: __, ...broken }: Verdict): boolean {
  return Object.values(broken).every((count) => count === 0);
}

function miscountedAt({ role, inFlight }: End): number {
  return role === 'server' ? Math.abs(inFlight) : Math.max(0, inFlight);
}

/** A process that calls counts a call out once for each settlement. */
function settledTwiceAt({ role, inFlight }: End): number {
  return role === 'caller' ? Math.max(0, -inFlight) : 0;
}

/** A process that was killed takes its calls with it. */
function unsettledIn({ calls, killed }: History): number {
  const dead = new Set(killed);
  return calls.filter(({ caller, settled, isHanging }) => isHanging || (settled.length === 0 && !dead.has(caller))).length;
}

/**
 * The caller gives a request the time that its call has left when it hands it to its connection, and Redis's clock counts it from
 * the moment at which Redis has the request, which is the id of its entry: a request may be begun until then. That is later than
 * the deadline of the call by the time that the request took to Redis, which nobody can know when it is begun. A request that was
 * given more than its call had left is held to the deadline itself.
 */
function isLate({ begunAtMs, storedAtMs, budgetMs, deadlineAtMs }: Execution, isGenerous: boolean): boolean {
  return begunAtMs > (isGenerous ? deadlineAtMs : storedAtMs + budgetMs) + GRACE_MS;
}

function groupedByKey(executions: readonly Execution[]): Execution[][] {
  const groups = new Map<string, Execution[]>();
  for (const execution of executions) {
    const group = groups.get(execution.key);
    if (group) group.push(execution);
    else groups.set(execution.key, [execution]);
  }
  return [...groups.values()];
}

/** @param doneAt when the answer was known to be recorded or to have come */
function dupEffectsIn(ofRequest: readonly Execution[], doneAt: number): number {
  if (!isIdempotent(methodOf(ofRequest[0]!.call))) return ofRequest.length - 1;
  return ofRequest.filter(({ begunAt }) => begunAt > doneAt).length;
}

/** The thing that calls are about -> when a caller had the first answer about it. */
function answeredIn(calls: readonly Call[]): ReadonlyMap<string, number> {
  const answered = new Map<string, number>();
  for (const { call, settled, settledAt } of calls) {
    const about = aboutOf(call);
    const isAnswer = settled[0] === 'ok' && settledAt !== null && !isOneWay(methodOf(call));
    if (isAnswer) answered.set(about, Math.min(answered.get(about) ?? Infinity, settledAt));
  }
  return answered;
}

function lostIn({ calls, executions }: History): number {
  const executed = new Set(executions.map(({ call }) => call));
  const isNote = ({ call, settled }: Call): boolean => methodOf(call) === 'note' && isLong(call) && settled[0] === 'ok';
  return calls.filter((call) => isNote(call) && !executed.has(call.call)).length;
}

/** Its caller may have given it up, or have been stopped. */
const ENDS = ['ok', 'REMOTE_FAILED', 'CALL_CANCELLED', 'CLOSED'];

function hasFailed({ call, settled: [how] }: Call): boolean {
  return how !== undefined && isIdempotent(methodOf(call)) && isLong(call) && !ENDS.includes(how);
}

function isLong(call: number): boolean {
  return timeoutMsOf(call) === LONG_MS;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
