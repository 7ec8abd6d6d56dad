import type { PresencePort, Watcher } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { RpcIndefiniteError } from '../errors.js';
import { inboxKey } from '../keys.js';
import { codeOf, errorText } from '../wire/error-answer.js';
import { parseGrants } from '../wire/stream-frame.js';
import { AnsweredFailure } from './answered-failure.js';
import { ItemOutlet } from './item-outlet.js';
import { reportFailure } from './report-failure.js';
import type { ServedRequest } from './served-request.js';
import { ServedStream } from './served-stream.js';
import type { ServerCounters } from './server-counters.js';
import type { AnswerItems } from './service-definition.js';

export interface StreamRunsParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: PresencePort;
  /** The member name of this instance. */
  readonly member: string;
  readonly counters: ServerCounters;
  readonly exposeStacks: boolean;
  readonly maxPayloadBytes: number;
}

/** How often callers are reminded of their streams: one that does not know of a stream ends it. */
const REMIND_EVERY_MS = 10_000;

/** How long a caller may be silent beyond its lease: one that was cut off goes on reading where it was. */
const SILENT_MS = 10_000;

interface Open {
  readonly outlet: ItemOutlet;
  readonly streams: Set<ServedStream>;
  /** Since when its presence has ended, by `performance.now()`. */
  deadSinceMs: number | null;
}

/** The streamed answers that an instance is giving. */
export class StreamRuns implements Watcher {
  readonly #parts: StreamRunsParts;
  /** By run. */
  readonly #streams = new Map<string, ServedStream>();
  readonly #byRequest = new Map<ServedRequest, ServedStream>();
  /** By inbox, which is the member name of a caller. */
  readonly #inboxes = new Map<string, Open>();

  constructor(parts: StreamRunsParts) {
    this.#parts = parts;
  }

  /** Callers that have streams here. */
  get watched(): Iterable<string> {
    return this.#inboxes.keys();
  }

  onGone(): void {
    this.#lookAtCallers();
  }

  onReturn(): void {
    // Reminders tell callers that another instance has answered to meanwhile.
  }

  /** Resolves when the stream has ended; the request then has its answer, unless nobody waits for it. Never rejects. */
  async serve(request: ServedRequest, items: AnswerItems): Promise<void> {
    const served = this.#open(request);
    try {
      await served.serve(items);
      request.end(served.endField('d'), '');
    } catch (thrown) {
      reportFailure(request, thrown);
      this.#endWith(served, thrown);
    }
    this.#close(served);
  }

  heard(message: string): void {
    for (const { inbox, correlation, run, upTo } of parseGrants(message)) {
      const stream = this.#streams.get(run);
      const frame = stream?.request.frame;
      if (frame?.inbox !== inbox || frame.correlation !== correlation) continue;
      if (upTo > 0) stream!.grant(upTo);
      else this.#cancel(stream!.request);
    }
  }

  /** Reminds callers of their streams, and ends those of callers that are gone: call it about once a second. */
  look(): void {
    this.#lookAtCallers();
    for (const stream of this.#streams.values()) stream.remind(REMIND_EVERY_MS);
  }

  /** Ends the stream of a request for which this process waits no longer: its caller is told at once. */
  leave(request: ServedRequest): void {
    const stream = this.#byRequest.get(request);
    const text = errorText(stopped(), false);
    if (stream === undefined) request.answer('e', text);
    else request.end(stream.endField('f'), text);
  }

  stop(): void {
    this.#parts.presence.unwatch(this);
    for (const { outlet } of this.#inboxes.values()) outlet.close();
  }

  /** A method that has failed may have told its caller so by its last item. */
  #endWith(served: ServedStream, thrown: unknown): void {
    const { request } = served;
    const isAnswered = thrown instanceof AnsweredFailure;
    request.failure = codeOf(isAnswered ? thrown.cause : thrown);
    if (isAnswered) request.end(served.endField('d'), '');
    else request.end(served.endField('f'), errorText(thrown, this.#parts.exposeStacks));
  }

  #lookAtCallers(): void {
    const nowMs = performance.now();
    for (const [inbox, open] of this.#inboxes) {
      const fate = this.#parts.presence.fateOf(inbox);
      if (fate === 'living') open.deadSinceMs = null;
      else if (fate === 'left') for (const { request } of open.streams) this.#cancel(request);
      // It may live all the same: then it reads that its stream has failed.
      else if (nowMs - (open.deadSinceMs ??= nowMs) > SILENT_MS) for (const stream of open.streams) stream.fail(silent());
    }
  }

  #open(request: ServedRequest): ServedStream {
    const { presence, counters, maxPayloadBytes, member } = this.#parts;
    const { inbox } = request.frame;
    if (this.#inboxes.size === 0) presence.watch(this);
    const open = this.#inboxes.get(inbox) ?? { outlet: this.#outletOf(inbox), streams: new Set(), deadSinceMs: null };
    this.#inboxes.set(inbox, open);
    const sent = (): void => void (counters.items += 1);
    const served = new ServedStream({ request, outlet: open.outlet, member, maxPayloadBytes, sent });
    open.streams.add(served);
    this.#streams.set(served.run, served);
    this.#byRequest.set(request, served);
    return served;
  }

  #close(served: ServedStream): void {
    const { inbox } = served.request.frame;
    this.#streams.delete(served.run);
    this.#byRequest.delete(served.request);
    const open = this.#inboxes.get(inbox);
    open?.streams.delete(served);
    if (open === undefined || open.streams.size > 0) return;
    open.outlet.close();
    this.#inboxes.delete(inbox);
    if (this.#inboxes.size === 0) this.#parts.presence.unwatch(this);
  }

  #outletOf(inbox: string): ItemOutlet {
    const key = inboxKey(this.#parts.prefix, inbox);
    const lost = (): void => this.#lost(inbox);
    return new ItemOutlet({ key, redis: this.#parts.redis.publishFor(key), lost });
  }

  #lost(inbox: string): void {
    for (const stream of this.#inboxes.get(inbox)?.streams ?? []) {
      stream.fail(new RpcIndefiniteError('The inbox of the caller was gone, and items in it are lost: the stream has ended.'));
    }
  }

  #cancel(request: ServedRequest): void {
    if (request.isCancelled || request.isAbandoned) return;
    this.#parts.counters.cancelled += 1;
    request.cancel();
  }
}

function silent(): RpcIndefiniteError {
  return new RpcIndefiniteError('The process that called was silent for so long that its stream was ended: the rest of its items is not sent.');
}

function stopped(): RpcIndefiniteError {
  return new RpcIndefiniteError('The instance that served the stream has stopped: the rest of its items is not sent. Call again for them.');
}
