/** Moments are milliseconds since 1970; `AtMs` of different processes are of one machine. */

/** An event that a client began to emit. */
export interface Emit {
  readonly pid: number;
  readonly number: number;
  /** `ok` when it was confirmed, else the code of the error; null while neither has come. */
  outcome: string | null;
}

/** A request that a client sent. Each number is sent once. */
export interface Request {
  readonly pid: number;
  readonly number: number;
  readonly deadlineAtMs: number;
  /** `ok`, `refused` for the planned error, `wrong`, or the code of the error; one for each end that the transport gave it. */
  readonly settled: string[];
  /** The moment of the first end. */
  settledAtMs: number | null;
}

/** A handler of an event that succeeded. */
export interface Handling {
  readonly handler: string;
  readonly number: number;
  readonly subject: string;
  readonly attempt: number;
}

/** A message that a group gave up. */
export interface Letter {
  readonly group: string;
  /** -1 where the message is none of ours. */
  readonly number: number;
  readonly reason: string;
}

/** A process stood still, as it found later. */
export interface Stall {
  readonly pid: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A fault that struck, for those who read a kept history: the verdict does not ask for it. */
export interface Fault {
  readonly kind: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** All that a run of the mode `transport` has left. */
export interface History {
  readonly emits: readonly Emit[];
  readonly requests: readonly Request[];
  readonly handled: readonly Handling[];
  /** The number of each request whose handler began, as often as it did. */
  readonly executed: readonly number[];
  readonly letters: readonly Letter[];
  readonly stalls: readonly Stall[];
  readonly faults: readonly Fault[];
  /** The processes that were killed. */
  readonly killed: readonly number[];
  /** Events that a group has not done with, and requests that are left in Redis. */
  readonly left: { readonly events: number; readonly requests: number };
  /** Processes that were asked to stop and did not end by themselves with code 0. */
  readonly badExits: number;
}
