import type { MillraceError, PresencePort, Watcher } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { RpcIndefiniteError } from '../errors.js';
import { inboxKey, isMemberName } from '../keys.js';
import { errorOf } from '../wire/error-answer.js';
import type { StreamFrame } from '../wire/stream-frame.js';
import type { CallerCounters } from './caller-counters.js';
import type { Directory } from './directory.js';
import { GrantSender } from './grant-sender.js';
import { incomplete } from './incoming-stream.js';
import type { PendingCall } from './pending-call.js';
import { StreamCall } from './stream-call.js';

export interface StreamCallsParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: PresencePort;
  readonly directory: Directory;
  readonly counters: CallerCounters;
  /** The answer has ended. */
  readonly ended: (call: StreamCall, error: MillraceError | null) => void;
  /** The rest of the answer is not known, and not wanted. */
  readonly broken: (call: StreamCall, error: MillraceError) => void;
}

/** How often it looks for streams that wait for a grant, or that nobody may be serving. */
const LOOK_EVERY_MS = 1_000;
/** Looks without a word: instances remind callers of their streams about every ten. */
const MOST_SILENT = 25;
/** How long a request is waited for that Redis may not have. */
const UNSURE_MS = 10_000;

/** The streamed answers that this process is taking. */
export class StreamCalls implements Watcher {
  readonly #parts: StreamCallsParts;
  readonly #grants: GrantSender;
  readonly #open = new Set<StreamCall>();
  /** Those of which it is known who serves them. To begin to watch costs a look at once, and most calls end before that. */
  readonly #served = new Set<StreamCall>();
  /** The member name of the inbox. */
  #inbox = '';
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StreamCallsParts) {
    this.#parts = parts;
    this.#grants = new GrantSender(parts);
  }

  /** The instances that serve them. */
  get watched(): Iterable<string> {
    return new Set([...this.#served].flatMap(({ servedBy }) => servedBy ?? []));
  }

  onGone(): void {
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  onReturn(): void {
    // Nothing here depends on whether others take this process for dead.
  }

  /** @param inbox the member name of the inbox that the answers go to */
  opened(inbox: string): void {
    this.#inbox = inbox;
  }

  add(call: StreamCall): void {
    this.#open.add(call);
    if (call.servedBy !== undefined) this.#watch(call);
  }

  remove(call: StreamCall): void {
    this.#open.delete(call);
    if (this.#served.delete(call) && this.#served.size === 0) this.#parts.presence.unwatch(this);
  }

  /** Lets the instance send more. */
  grant(call: StreamCall, upTo: number): void {
    const { member, run, correlation } = call;
    if (member !== null && run !== null) this.#send(member, { correlation, run }, upTo);
  }

  /** Tells the instance that no more is wanted. @returns false when it is not known */
  stop(call: StreamCall): boolean {
    this.grant(call, 0);
    return call.member !== null;
  }

  /** @param call that of the correlation; undefined when it is settled, or never was */
  received(call: PendingCall | undefined, frame: StreamFrame, value: string): void {
    if (!(call instanceof StreamCall) || (call.run ?? frame.run) !== frame.run) return this.#late(frame, value);
    call.run = frame.run;
    call.silentFor = 0;
    if (frame.kind === 'i') this.#item(call, frame.number, value);
    else if (!call.incoming.hasAll(frame.number)) this.#parts.broken(call, incomplete());
    else if (frame.kind === 'o') this.#openedBy(call, value);
    else this.#parts.ended(call, frame.kind === 'd' ? null : errorOf(value));
  }

  /** Items that had come into the inbox are lost. */
  inboxLost(): void {
    for (const call of this.#open) if (call.run !== null) this.#parts.broken(call, incomplete());
  }

  /** Call it while there are calls: it looks about once a second. */
  look(): void {
    if (this.#open.size === 0) return;
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    for (const call of this.#open) this.#lookAt(call, nowMs);
  }

  flushed(): Promise<void> {
    return this.#grants.flushed();
  }

  #watch(call: StreamCall): void {
    if (this.#served.size === 0) this.#parts.presence.watch(this);
    this.#served.add(call);
  }

  #item(call: StreamCall, number: number, text: string): void {
    const taken = call.incoming.item(number, text);
    if (taken === 'taken') this.#parts.counters.items += 1;
    else if (taken === 'dropped') this.#parts.counters.droppedItems += 1;
    else this.#parts.broken(call, incomplete());
  }

  #openedBy(call: StreamCall, member: string): void {
    if (!isMemberName(member)) this.#parts.counters.malformed += 1;
    else if (call.member !== member) {
      call.member = member;
      this.#watch(call);
      call.doubtfulSinceMs = null;
      // The consumer may have taken items before it was known who serves them.
      if (call.incoming.granted > call.window) this.grant(call, call.incoming.granted);
    }
  }

  /** It belongs to a stream that has ended here, or to another run of it. */
  #late({ kind, correlation, run }: StreamFrame, value: string): void {
    const { counters } = this.#parts;
    if (kind === 'i') counters.droppedItems += 1;
    else if (kind !== 'o') counters.lateAnswers += 1;
    else if (isMemberName(value)) this.#send(value, { correlation, run }, 0);
    else counters.malformed += 1;
  }

  #lookAt(call: StreamCall, nowMs: number): void {
    // A grant may have been lost.
    if (call.incoming.isStarving) this.grant(call, call.incoming.granted);
    const doubt = this.#doubtOf(call);
    if (doubt === null) call.doubtfulSinceMs = null;
    else if (nowMs - (call.doubtfulSinceMs ??= nowMs) > doubt.forMs) this.#parts.broken(call, new RpcIndefiniteError(doubt.why));
  }

  /** Why nobody may be serving it, and how long that may last: another instance may say so, or the last items be on their way. */
  #doubtOf(call: StreamCall): { readonly why: string; readonly forMs: number } | null {
    const { presence, directory, redis, prefix } = this.#parts;
    const member = call.servedBy;
    const forMs = presence.leaseMs;
    if (member !== undefined && presence.fateOf(member) !== 'living') return { why: GONE, forMs };
    if (call.run === null) {
      if (call.entryId === null) return call.mayBeSent ? { why: UNSENT, forMs: UNSURE_MS } : null;
      return member === undefined && !directory.isServed(call.options) ? { why: NOBODY, forMs } : null;
    }
    // Silence while Redis is away says nothing.
    if (redis.publishFor(inboxKey(prefix, this.#inbox)).isReady) call.silentFor += 1;
    return call.silentFor > MOST_SILENT ? { why: SILENT, forMs: 0 } : null;
  }

  #send(member: string, { correlation, run }: { readonly correlation: number; readonly run: string }, upTo: number): void {
    this.#grants.add(member, { inbox: this.#inbox, correlation, run, upTo });
  }
}

const GONE = 'The instance that served the stream is gone: the rest of its items is not known, and its method is not executed again.';
const SILENT = 'Nothing was heard of the stream for long, so its end is lost. Its method may have been executed.';
const NOBODY = 'No instance of the service is left, so nobody serves the stream. Its method may have been begun. Start an instance, then call again.';
const UNSENT = 'Redis did not say whether it has the request, and no item has come: the method may have been executed, or may yet be.';
