import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ErrorRecord } from './delivery/outcome.js';
import type { ErrorCode } from './errors.js';

/** The place in the platform where something happened. */
export interface EventPlace {
  readonly topic?: string;
  readonly group?: string;
  readonly partition?: number;
  readonly queue?: string;
}

/** The end of publishes and enqueues; `invalid` ones were refused before anything was sent. */
export type SendOutcome = 'ok' | 'duplicate' | 'invalid' | 'error';

/** The end of an attempt of a handler, with the error that it failed with: the code of a {@link ErrorRecord}, or its name. */
export interface HandledAttempt {
  /** 1 for the first try. */
  readonly attempt: number;
  readonly outcome:
    | 'ack' | 'deduplicated' | 'discarded' | 'expired' | 'filtered'
    | 'retry' | 'dead-letter' | 'parked' | 'stopped' | 'given-up' | 'release';
  readonly errorType?: string;
  /** The handler took it, with the policies around it. */
  readonly durationMs: number;
  /** Since it was published or enqueued, by the clocks of both processes; waits of delayed ones and of retries count. */
  readonly ageMs: number;
}

/** The end of a call, at either side of it. */
export interface EndedCall {
  readonly service: string;
  readonly version: string;
  readonly method: string;
  /** The code of its error; null for none. */
  readonly code: ErrorCode | null;
  readonly durationMs: number;
}

/**
 * The events that observers may listen to, by the `diagnostics_channel` name `millrace:<event>`. Engines emit; logs, metrics and
 * traces listen. An event is plain data.
 */
export interface EventMap {
  /**
   * An attempt failed; `outcome` says what follows. In an ordered group the key of a message that failed for good may be put
   * aside (`parked`), or its partition stop (`stopped`). A message that a broadcast gives up is kept nowhere: `given-up`.
   */
  'attempt-failed': EventPlace & {
    readonly messageId: string;
    readonly attempt: number;
    readonly error: ErrorRecord;
    readonly outcome: 'retry' | 'dead-letter' | 'parked' | 'stopped' | 'given-up';
    readonly delayMs?: number;
    /** The trace that the message belongs to, 32 hex digits. */
    readonly traceId?: string;
  };
  /**
   * A method of a service threw, and so its call fails, unless it is one-way: then nobody else hears of it. Nothing is emitted
   * once its caller waits no longer, or its process stops.
   */
  'call-failed': {
    readonly service: string;
    readonly version: string;
    readonly method: string;
    /** The member name of the process that calls. */
    readonly caller: string;
    readonly requestId: string;
    readonly isOneWay: boolean;
    /** Whether the application has logged it, or expects it, as where the filters of Nest saw it. */
    readonly isReported: boolean;
    readonly error: ErrorRecord;
  };
  /** A method of a service goes on, and holds its place, though nobody has waited for it for `overdueMs`. */
  'call-overdue': {
    readonly service: string;
    readonly version: string;
    readonly method: string;
    /** The member name of the process that called. */
    readonly caller: string;
    readonly requestId: string;
    readonly overdueMs: number;
  };
  /** The function of a custom back-off failed; the message waits as long as by default. */
  'backoff-failed': EventPlace & { readonly failures: number; readonly error: ErrorRecord };
  /** The handler of dead letters failed; `outcome` says whether it is called for this one again. */
  'hook-failed': EventPlace & {
    readonly messageId: string;
    readonly attempt: number;
    readonly error: ErrorRecord;
    readonly outcome: 'retry' | 'given-up';
    readonly delayMs?: number;
  };
  /** A job is completed without the return value of its handler, which cannot be stored. */
  'result-dropped': EventPlace & { readonly messageId: string; readonly error: ErrorRecord };
  /** Messages that a vanished process held were put back, or a job of one, for others to handle. */
  reclaimed: EventPlace & { readonly count: number };
  /** A settlement was refused, because the message belongs to another member by now. */
  fenced: EventPlace & { readonly messageId: string };
  /**
   * A SQL database refused an owner of a partition, as it knows another one with epoch `knownEpoch`: the message goes back
   * uncounted, and the partition is owned above that epoch, by this process if it still is its owner.
   */
  'owner-fenced': EventPlace & { readonly messageId: string; readonly epoch: number; readonly knownEpoch: number };
  /** Stored messages are gone before this group settled them. */
  lost: EventPlace & { readonly count: number; readonly why: string };
  /** Dead letters were removed, since they were too many or too old; `untold`: those for which no handler was called. */
  'dead-letters-dropped': EventPlace & { readonly count: number; readonly untold: number };
  /** Redis has lost batches that it had confirmed to this process, in a failover. */
  'publishes-lost': EventPlace & { readonly batches: number; readonly why: string };
  /** The handler of checks failed, or ran out of time: that counts as an answer `'unknown'`. */
  'check-failed': EventPlace & { readonly messageId: string; readonly check: number; readonly error: ErrorRecord };
  /** Half messages of a topic wait for a check, by so many milliseconds already: no living process has a handler for it. */
  'halves-unchecked': EventPlace & { readonly topic: string; readonly overdueMs: number };
  /** Nobody is asked about a half message any more: so many checks were answered with `'unknown'`. An operator has to decide. */
  'half-given-up': EventPlace & { readonly messageId: string; readonly checks: number; readonly storedAtMs: number };
  /** A half message that a check committed is gone: its idempotency key was used for something else meanwhile. */
  'half-refused': EventPlace & { readonly messageId: string; readonly error: ErrorRecord };
  /** A group or topic, or a stream of calls, was gone from Redis and has been made again. */
  recreated: EventPlace & { readonly why: string };
  /**
   * A start waits, for so many milliseconds at the most, until it is known whether these members live, which have another order;
   * it is refused when one of them does.
   */
  'start-waits': EventPlace & { readonly members: readonly string[]; readonly forMs: number; readonly why: string };
  /**
   * A partition of an ordered group belongs to this process from now on (`assigned`), was given up by it with nothing in flight
   * (`given-up`), or belongs to it no more though it had not given it up (`lost`).
   */
  ownership: EventPlace & {
    readonly topic: string;
    readonly group: string;
    readonly partition: number;
    readonly epoch: number;
    readonly change: 'assigned' | 'given-up' | 'lost';
  };
  /**
   * The circuit of a service, or of one of its instances, changed its state. An open one lets a call through at `retryAtMs`, in
   * Unix milliseconds.
   */
  circuit: {
    readonly service: string;
    readonly version: string;
    readonly instance?: string;
    readonly state: 'open' | 'half-open' | 'closed';
    readonly retryAtMs?: number;
  };
  /** A subscription of this process is paused, as `why` says, or goes on again; `error` is the latest that its handler threw. */
  breaker: EventPlace & { readonly state: 'open' | 'closed'; readonly why: string; readonly error: ErrorRecord };
  /** A call failed whose client lets it resolve all the same (`'fail-safe'`). */
  'call-given-up': { readonly service: string; readonly version: string; readonly method: string; readonly error: ErrorRecord };
  /** A row of the outbox was not published by this attempt; `outcome` says what follows. */
  'outbox-failed': EventPlace & {
    readonly messageId: string;
    readonly attempt: number;
    readonly error: ErrorRecord;
    readonly outcome: 'retry' | 'dead';
    readonly delayMs?: number;
  };
  /**
   * A topic or queue takes no rows of the outbox at present, as when Redis is away: they wait, and no attempt is counted. It is
   * tried again after a pause; `failures` counts the tries since it last took a row.
   */
  'outbox-held': EventPlace & { readonly error: ErrorRecord; readonly failures: number; readonly pauseMs: number };
  /** Rows of the outbox were published; `oldestMs` is the greatest age among them. */
  'outbox-published': { readonly count: number; readonly oldestMs: number };
  /** A background loop met an error and goes on. */
  'loop-failed': EventPlace & { readonly loop: string; readonly error: ErrorRecord; readonly failures: number };
  /** A connection to Redis, in a Cluster to a `node`, `host:port`, changed its state; `closed`: this process needs it no more. */
  connection: {
    readonly name: string;
    readonly node?: string;
    readonly state: 'ready' | 'lost' | 'failed' | 'closed';
    readonly error?: ErrorRecord;
  };
  /** A node of a Redis Cluster, `host:port`, has no slots any more: other nodes have them. */
  'slots-gone': { readonly node: string };
  /**
   * Publishes to a topic were settled together: `count` of them, of which the first took `durationMs` until then; 0 when nothing
   * was sent. Messages that handlers forward and rows of an outbox are among them, half messages are not.
   */
  published: { readonly topic: string; readonly outcome: SendOutcome; readonly count: number; readonly durationMs: number };
  /** A group has read messages. `redelivered`: those that it was given before. */
  fetched: { readonly topic: string; readonly group: string; readonly count: number; readonly redelivered: number };
  /** The handler of a message has ended. Each message of a batch has its event. */
  handled: { readonly topic: string; readonly group: string; readonly partition: number } & HandledAttempt;
  /** Redis has stored or refused how messages ended that were settled together. */
  settled: {
    readonly topic: string;
    readonly group: string;
    readonly partition: number;
    readonly outcome: 'ack' | 'retry' | 'dead-letter' | 'release' | 'fenced';
    readonly count: number;
  };
  /** Jobs of one name were enqueued together, or were not. */
  enqueued: {
    readonly queue: string;
    readonly job: string;
    readonly outcome: SendOutcome;
    readonly count: number;
    readonly durationMs: number;
  };
  /** The handler of a job has ended. */
  'job-handled': { readonly queue: string; readonly job: string } & HandledAttempt;
  /** A call is settled for the process that made it. */
  called: EndedCall;
  /** A method that this process serves has ended, or is not waited for any more. */
  served: EndedCall;
}

export type EventName = keyof EventMap;

/** The channel of an event, for code that emits it often: it makes the event only while `hasSubscribers`. */
export interface EventChannel<Event> {
  readonly hasSubscribers: boolean;
  publish(event: Event): void;
}

/** Looks up the channel of an event, once: a look-up for each message would cost more than the check whether anybody listens. */
export function eventChannel<Name extends EventName>(name: Name): EventChannel<EventMap[Name]> {
  return channel(`millrace:${name}`);
}

/** Publishes an event to its listeners. It costs next to nothing when there are none. */
export function emit<Name extends EventName>(name: Name, event: EventMap[Name]): void {
  channel(`millrace:${name}`).publish(event);
}

/** @returns a function that stops listening */
export function listen<Name extends EventName>(name: Name, listener: (event: EventMap[Name]) => void): () => void {
  const handler = (event: unknown): void => listener(event as EventMap[Name]);
  subscribe(`millrace:${name}`, handler);
  return () => unsubscribe(`millrace:${name}`, handler);
}
