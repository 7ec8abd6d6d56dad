import { setTimeout } from 'node:timers/promises';
import { emit, type ErrorCode, errorRecord, MillraceError, type PresencePort, quote } from '@millrace/core';
import { RedisFailure, settlesWithin, type Topology } from '@millrace/redis';
import { RpcCancelledError, RpcTimeoutError } from '../errors.js';
import type { CallMonitor } from '../monitor/call-monitor.js';
import type { AnswerFrame } from '../wire/answer-frame.js';
import { errorOf } from '../wire/error-answer.js';
import { DEFAULT_WINDOW, type StreamFrame } from '../wire/stream-frame.js';
import { type OutgoingCall, refusalOf } from './outgoing-call.js';
import { CallTargets } from './call-target.js';
import { isCalledHeard, tellCalled } from './called-events.js';
import { CallerCounters } from './caller-counters.js';
import type { Directory } from './directory.js';
import { Inbox } from './inbox.js';
import { incomplete, IncomingStream } from './incoming-stream.js';
import { PendingCall } from './pending-call.js';
import { PendingCalls } from './pending-calls.js';
import { StreamCall } from './stream-call.js';
import { StreamCalls } from './stream-calls.js';

export interface CallerParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: PresencePort;
  readonly maxWaiting: number;
  readonly maxPayloadBytes: number;
  readonly directory: Directory;
  readonly monitor: CallMonitor;
}

/** How soon a start that failed is tried again. */
const START_PAUSE_MS = 50;
/** Minimum time for what a stop still has to send. */
const FLUSH_MS = 500;

interface Open {
  readonly inbox: Inbox;
  readonly targets: CallTargets;
}

/** Calls services: each call settles once, by its answer, its deadline, its caller, or the stop of this process. */
export class Caller {
  readonly counters = new CallerCounters();
  readonly #parts: CallerParts;
  readonly #streams: StreamCalls;
  readonly #pending = new PendingCalls({ onDue: (call) => this.#timedOut(call), onTick: () => this.#tick() });
  /** Calls that wait for the inbox. */
  #waiting: PendingCall[] = [];
  #open: Open | null = null;
  #opening: Promise<void> | null = null;
  #isClosed = false;

  constructor(parts: CallerParts) {
    this.#parts = parts;
    const { counters } = this;
    this.#streams = new StreamCalls({
      ...parts, counters,
      ended: (call, error) => this.#ended(call, error, null),
      broken: (call, error) => this.#broken(call, error),
    });
  }

  /** See {@link Rpc.call}. */
  call(options: OutgoingCall): Promise<string | null> {
    const refusal = this.#refusalOf(options);
    if (refusal !== null) {
      if (isCalledHeard()) tellCalled(options, refusal.code, 0);
      return Promise.reject(refusal);
    }
    const counts = this.#parts.monitor.of(options);
    return new Promise((resolve, reject) => this.#begin(new PendingCall(options, counts, { resolve, reject })));
  }

  /** See {@link Rpc.stream}. */
  stream(options: OutgoingCall): IncomingStream {
    let call: StreamCall | null = null;
    return new IncomingStream(options.window ?? DEFAULT_WINDOW, {
      begin: (incoming) => {
        const refusal = this.#refusalOf(options, incoming.window);
        if (refusal !== null) return incoming.end(refusal);
        call = new StreamCall(options, this.#parts.monitor.of(options), incoming);
        this.#streams.add(call);
        this.#begin(call);
      },
      grant: (upTo) => this.#streams.grant(call!, upTo),
      close: () => this.#closed(call!),
    });
  }

  /** Rejects what is pending with CLOSED, and removes the inbox. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    await this.#opening;
    const open = this.#open;
    const targets = open?.targets.all ?? [];
    await settlesWithin(Promise.all(targets.map(({ batcher }) => batcher.flushed())), Math.min(deadlineMs, FLUSH_MS));
    for (const call of this.#pending.all) this.#giveUp(call, closed());
    this.#pending.stop();
    if (open === null) return;
    const told = [this.#streams.flushed(), ...targets.map(({ withdrawer }) => withdrawer.flushed())];
    await settlesWithin(Promise.all(told), FLUSH_MS);
    await settlesWithin(open.inbox.close().catch(reportFailedStop), FLUSH_MS);
    this.#parts.presence.departed(open.inbox.member);
  }

  #refusalOf(options: OutgoingCall, window: number | null = null): MillraceError | null {
    if (this.#isClosed) return closed();
    const refusal = refusalOf(options, this.#parts.maxPayloadBytes, window);
    if (refusal !== null) return refusal;
    if (options.timeoutMs <= 0) {
      this.counters.timedOut += 1;
      return timeoutOf(options, false);
    }
    if (!options.signal?.aborted) return null;
    this.counters.cancelled += 1;
    return cancellationOf(options, false);
  }

  #begin(call: PendingCall): void {
    this.#pending.add(call);
    call.counts.begun('');
    this.counters.inFlight += 1;
    const { signal } = call.options;
    if (signal) this.#listen(call, signal);
    const looking = this.#parts.directory.before(call.options);
    if (looking === null) this.#dispatch(call);
    else looking.then(() => this.#dispatch(call), (error: unknown) => this.#refused(call, error as MillraceError));
  }

  /** Sends a call whose service is known to be served, unless it was given up meanwhile. */
  #dispatch(call: PendingCall): void {
    if (call.isSettled) return;
    if (this.#open !== null) this.#send(call, this.#open);
    else {
      this.#waiting.push(call);
      this.#opening ??= this.#makeInbox();
    }
  }

  #listen(call: PendingCall, signal: AbortSignal): void {
    const cancelled = (): void => {
      this.counters.cancelled += 1;
      this.#giveUp(call, cancellationOf(call.options, mayHaveRun(call)));
    };
    signal.addEventListener('abort', cancelled);
    call.unlisten = () => signal.removeEventListener('abort', cancelled);
  }

  #send(call: PendingCall, { inbox, targets }: Open): void {
    try {
      const { batcher } = targets.of(call.options);
      inbox.use();
      batcher.add(call);
    } catch (error) {
      this.#refused(call, error as MillraceError);
    }
  }

  /** Never rejects: it is tried again while calls wait for it. */
  async #makeInbox(): Promise<void> {
    for (let failures = 1; this.#waiting.length > 0 && !this.#isClosed; failures += 1) {
      try {
        this.#sendWaiting(await this.#opened());
      } catch (error) {
        this.#failedToOpen(error, failures);
        await setTimeout(START_PAUSE_MS);
      }
      this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
    }
    if (this.#open === null) this.#opening = null;
  }

  #sendWaiting(open: Open): void {
    this.#open = open;
    for (const call of this.#waiting.splice(0)) if (!call.isSettled) this.#send(call, open);
  }

  async #opened(): Promise<Open> {
    const { presence } = this.#parts;
    const member = await presence.join();
    const onAnswer = (frame: AnswerFrame, value: string): void => this.#answered(frame, value);
    const onStream = (frame: StreamFrame, value: string): void => {
      this.#streams.received(this.#pending.get(frame.correlation), frame, value);
    };
    this.#streams.opened(member);
    try {
      const { counters } = this;
      const onLost = (): void => this.#streams.inboxLost();
      const inbox = await Inbox.open({ ...this.#parts, member, counters, onAnswer, onStream, onLost });
      const stored = (call: PendingCall): void => this.#stored(call);
      const refused = (call: PendingCall, error: MillraceError): void => this.#refused(call, error);
      return { inbox, targets: new CallTargets({ ...this.#parts, inbox: member, counters, stored, refused }) };
    } catch (error) {
      presence.departed(member);
      throw error;
    }
  }

  #failedToOpen(error: unknown, failures: number): void {
    emit('loop-failed', { loop: 'rpc-inbox', error: errorRecord(error), failures });
    if (!(error instanceof RedisFailure) || error.kind !== 'fatal') return;
    for (const call of this.#waiting.splice(0)) if (!call.isSettled) this.#refused(call, error);
  }

  /** @returns whether there is nothing to look after while no call is pending */
  #tick(): boolean {
    const inbox = this.#open?.inbox;
    inbox?.use();
    this.#streams.look();
    return inbox?.isTidy ?? true;
  }

  #answered({ kind, correlation }: AnswerFrame, value: string): void {
    const call = this.#pending.get(correlation);
    if (call === undefined) {
      if (this.#pending.wasGiven(correlation)) this.counters.lateAnswers += 1;
      else this.counters.unknownAnswers += 1;
      return;
    }
    // Nobody said that Redis has the request: the answer does.
    if (call.mayBeSent && call.entryId === null) this.counters.sent += 1;
    if (call instanceof StreamCall) this.#answeredOnce(call, kind, value);
    else this.#ended(call, kind === 'e' ? errorOf(value) : null, kind === 'r' ? value : null);
  }

  /** It has one item or none; or its request was refused, or settled by another instance than the one that serves it. */
  #answeredOnce(call: StreamCall, kind: AnswerFrame['kind'], value: string): void {
    if (kind === 'e') {
      this.#ended(call, errorOf(value), null);
      this.#streams.stop(call);
    } else if (call.run !== null) this.#broken(call, incomplete());
    else if (kind === 'n') this.#ended(call, null, null);
    else {
      this.#settle(call, null);
      this.counters.answered += 1;
      this.counters.items += 1;
      call.incoming.only(value);
    }
  }

  #ended(call: PendingCall, error: MillraceError | null, text: string | null): void {
    this.#settle(call, error?.code ?? null);
    if (error === null) {
      this.counters.answered += 1;
      call.resolve(text);
    } else {
      this.counters.failed += 1;
      call.reject(error);
    }
  }

  #broken(call: StreamCall, error: MillraceError): void {
    if (call.isSettled) return;
    this.#ended(call, error, null);
    this.#leave(call);
  }

  /** Its consumer has enough. */
  #closed(call: StreamCall): void {
    if (call.isSettled) return;
    this.counters.cancelled += 1;
    this.#settle(call, null);
    this.#leave(call);
  }

  #stored(call: PendingCall): void {
    if (call.isGivenUp) this.#withdraw(call);
    else if (!call.isSettled && isDoneWhenStored(call)) {
      this.#settle(call, null);
      call.resolve(null);
    }
  }

  #refused(call: PendingCall, error: MillraceError): void {
    if (call.isSettled) return;
    this.#settle(call, error.code);
    this.counters.failed += 1;
    call.reject(error);
  }

  #timedOut(call: PendingCall): void {
    this.counters.timedOut += 1;
    this.#giveUp(call, timeoutOf(call.options, mayHaveRun(call)));
  }

  #giveUp(call: PendingCall, error: MillraceError): void {
    this.#settle(call, error.code);
    this.#leave(call);
    call.giveUp(error);
  }

  /** Its request is not to be executed, or no longer. */
  #leave(call: PendingCall): void {
    call.isGivenUp = true;
    const isStopped = call instanceof StreamCall && this.#streams.stop(call);
    if (!isStopped && call.entryId !== null) this.#withdraw(call);
  }

  #withdraw(call: PendingCall): void {
    this.#open?.targets.of(call.options).withdrawer.add(call);
  }

  #settle(call: PendingCall, code: ErrorCode | null): void {
    this.#pending.settle(call);
    const { ageMs } = call;
    call.counts.ended(ageMs, code);
    if (isCalledHeard()) tellCalled(call.options, code, ageMs);
    if (call instanceof StreamCall) this.#streams.remove(call);
    this.counters.inFlight -= 1;
  }
}

function isDoneWhenStored({ options: { oneWay, later } }: PendingCall): boolean {
  return oneWay === true || later !== undefined;
}

function mayHaveRun({ mayBeSent, entryId, isOnItsWay }: PendingCall): boolean {
  return mayBeSent || entryId !== null || isOnItsWay;
}

function timeoutOf({ service, version, method, timeoutMs, idempotent }: OutgoingCall, mayHaveRun: boolean): RpcTimeoutError {
  const what = `${quote(method)} of service '${service}' ${version} did not answer within ${timeoutMs} ms.`;
  const meaning = mayHaveRun ? 'It may have been executed, or may still be.' : 'It was not sent, so it was not executed.';
  const advice = idempotent || !mayHaveRun ? 'Call again.' : 'Find out whether its effect is there before you call again.';
  return new RpcTimeoutError(`${what} ${meaning} ${advice}`, { retryable: idempotent, mayHaveRun });
}

function cancellationOf({ service, version, method, signal }: OutgoingCall, mayHaveRunYet: boolean): RpcCancelledError {
  const what = `The call of ${quote(method)} of service '${service}' ${version} was cancelled by its signal.`;
  const meaning = mayHaveRunYet ? 'It may have been executed.' : 'It was not sent, so it was not executed.';
  return new RpcCancelledError(`${what} ${meaning}`, signal?.reason);
}

function closed(): MillraceError {
  return new MillraceError('CLOSED', 'The call was given up: this process is shutting down. It may have been executed if it was made before.');
}

function reportFailedStop(error: unknown): void {
  emit('loop-failed', { loop: 'rpc-stop', error: errorRecord(error), failures: 1 });
}
