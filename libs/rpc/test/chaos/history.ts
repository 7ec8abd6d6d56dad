/**
 * Moments are microseconds of the monotonic clock, which all processes of a machine share; numbers of milliseconds that end in
 * `AtMs` are Unix time, as Redis's clock on the same machine.
 */

/** A call that a process made. The same number is made again when a process that was killed had not had its answer. */
export interface Call {
  /** The process, counted from 0. */
  readonly caller: number;
  readonly call: number;
  readonly begunAt: number;
  readonly deadlineAtMs: number;
  /** `ok`, `wrong` for the answer of another call, or the code of the error; one for each time that it settled. */
  readonly settled: string[];
  /** The moment of the first settlement. */
  settledAt: number | null;
  /** Requests that were handed to the connection. */
  sends: number;
  /** Requests that were given more time than the call had left. */
  generous: number;
  /** It was not settled long after its deadline. */
  isHanging: boolean;
}

export interface Execution {
  readonly server: number;
  readonly call: number;
  /** Stands for the request; the same for repetitions. */
  readonly key: string;
  readonly begunAt: number;
  readonly begunAtMs: number;
  /** When Redis got the request, and how long it might be begun from then on. */
  readonly storedAtMs: number;
  readonly budgetMs: number;
  readonly deadlineAtMs: number;
  readonly takenOver: boolean;
  endedAt: number | null;
}

/** How a process ended that was asked to stop. */
export interface End {
  readonly code: number | null;
  readonly role: 'caller' | 'server';
  /** Calls, or requests, that it still counted when it had stopped. */
  readonly inFlight: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface History {
  readonly calls: readonly Call[];
  readonly executions: readonly Execution[];
  /** Keys of requests -> when a process knew that the ledger has the answer. */
  readonly recorded: Readonly<Record<string, number>>;
  readonly ends: readonly End[];
  /** The processes, of both kinds, that were killed. */
  readonly killed: readonly number[];
  /** Requests that are left in Redis. */
  readonly left: number;
}
