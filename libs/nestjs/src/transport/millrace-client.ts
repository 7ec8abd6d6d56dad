import { EventEmitter } from 'node:events';
import {
  asError, currentTrace, durationMs, isTopicRef, MAX_HEADERS, MillraceError, type OpenSpan, type Parsed, presentSpans,
  type PublishResult, quote, topicOfRef, withTraceHeaders,
} from '@millrace/core';
import { Logger } from '@nestjs/common';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { StreamedAnswer } from '@millrace/rpc';
import { defer, from, mergeMap, Observable } from 'rxjs';
import type { Settings } from '../config/settings.js';
import { contractIn } from './handler-book.js';
import { type InstanceReply, repliesOfAll } from './instance-reply.js';
import { MillraceRecord, type RecordParts } from './millrace-record.js';
import { REQUEST_METHOD, REQUEST_VERSION } from './request-service.js';
import { type OpenTransport, TransportConnection } from './transport-connection.js';
import { MillraceClientOptions, transportSettings } from './transport-options.js';
import { type TransportEvents, type TransportStatus, TransportStatusWatch } from './transport-status.js';
import { connectionError } from './unreachable.js';
import type { MillraceUnwrapped } from './unwrapped.js';
import { answerIn, metadataHeaders, plainEvent, requestText } from './wire.js';

/** Any type, as Nest declares it. */
type Anything = Parameters<ClientProxy['send']>[0];

/**
 * Nest's client on Millrace, by itself or by `ClientsModule.register([{ name, customClass: MillraceClient, options }])`.
 * Its `emit` gives a `PublishResult` when the event is stored; its `send` has a deadline always.
 */
export class MillraceClient extends ClientProxy<TransportEvents> {
  readonly #options: Parsed<MillraceClientOptions>;
  readonly #settings: Settings;
  readonly #timeoutMs: number;
  readonly #events = new EventEmitter();
  #connection: TransportConnection | null = null;
  #opening: Promise<OpenTransport> | null = null;
  #open: OpenTransport | null = null;
  #watch: TransportStatusWatch | null = null;

  /** @throws MillraceError INVALID_OPTIONS with every problem of options and environment */
  constructor(options: MillraceClientOptions = {}) {
    super();
    const { options: own, settings } = transportSettings(MillraceClientOptions, options, 'MillraceClient');
    this.#options = own;
    this.#settings = settings;
    this.#timeoutMs = durationMs(own.timeout);
  }

  /**
   * Connects once; after a failure, and after `close()`, anew. `send` and `emit` fail as it does.
   *
   * @throws TransportUnreachableError with a code such as ECONNREFUSED; MillraceError REDIS_UNSUPPORTED, REDIS_FAILED, CLOSED
   */
  override connect(): Promise<OpenTransport> {
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  /** Sends events under way, fails requests that wait for an answer, and closes the connections. May be called again. */
  override async close(): Promise<void> {
    const [connection, wasOpen] = [this.#connection, this.#open !== null];
    this.#watch?.stop();
    [this.#connection, this.#opening, this.#open, this.#watch] = [null, null, null, null];
    await connection?.close();
    if (wasOpen) this.#tell('disconnected');
  }

  override on<Event extends keyof TransportEvents>(event: Event, callback: TransportEvents[Event]): void {
    this.#events.on(event, callback);
  }

  /** The tools of operators on this client's connections: {@link MillraceUnwrapped}. */
  override unwrap<T = MillraceUnwrapped>(): T {
    if (this.#open === null) throw new Error('MillraceClient is not connected: there is nothing to unwrap.');
    return this.#open.unwrapped as T;
  }

  /** Its values come when it is subscribed to; each subscription is a request. */
  override send<TResult = Anything, TInput = Anything>(pattern: Anything, data: TInput): Observable<TResult> {
    if (this.#open === null || isNothing(pattern) || isNothing(data)) return super.send(pattern, data);
    // Connected: without the promise, and the two layers around it, that Nest has for each request.
    return new Observable((observer) => {
      if (this.#open === null) return super.send<TResult>(pattern, data).subscribe(observer);
      return this.publish(this.createPacket(pattern, data), this.createObserver(observer));
    });
  }

  /** The event is on its way at once, subscribed to or not. A failure that nobody has subscribed to is logged. */
  override emit<TResult = Anything, TInput = Anything>(pattern: Anything, data: TInput): Observable<TResult> {
    if (isNothing(pattern) || isNothing(data)) return super.emit(pattern, data);
    const stored = this.#dispatched<TResult>(pattern, data);
    let isHeard = false;
    stored.catch((error: unknown) => {
      if (!isHeard) logger.error(lostEvent(this.normalizePattern(pattern as MsPattern), error));
    });
    return new Observable((observer) => {
      isHeard = true;
      return from(stored).subscribe(observer);
    });
  }

  /**
   * Asks all instances of the service that take requests, and gives what each of them says, as it comes: their values, and an
   * error for one that fails, is gone, or does not answer in time. It completes when all have ended; each subscription asks anew,
   * and unsubscribing ends the handlers. It fails with NO_INSTANCE when no server runs, and else as `send` does.
   */
  broadcast<TResult = Anything, TInput = Anything>(pattern: Anything, data: TInput): Observable<InstanceReply<TResult>> {
    if (isNothing(pattern) || isNothing(data)) return super.send(pattern, data);
    return defer(() => this.connect()).pipe(mergeMap(({ rpc }) => {
      const packet = this.createPacket(pattern, data);
      const ask = (instance: string): Observable<unknown> =>
        new Observable((observer) => relayed(this.#request(packet, instance), this.createObserver(observer)));
      return repliesOfAll({ instances: rpc.instances, service: this.#service(), ask });
    })) as Observable<InstanceReply<TResult>>;
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return isTopicRef(pattern) ? topicOfRef(pattern).name : super.normalizePattern(pattern);
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    try {
      return relayed(this.#request(packet), callback);
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
  }

  protected override async dispatchEvent<T = PublishResult>({ pattern, data: given, metadata }: ReadPacket): Promise<T> {
    const { topics, unwrapped: { publisher } } = this.#open ?? (await this.connect());
    const { data, parts: { headers, key, idempotencyKey } } = recordOf(given);
    const contract = contractIn(pattern);
    // Before anything is waited for: it is its caller's, who may change it.
    const { payload, headers: own } = contract === null ? plainEvent(data) : { payload: data, headers: {} };
    const topic = contract ?? (await topics.plain(this.normalizePattern(pattern as MsPattern), this.#settings.publishDeadlineMs));
    const all = { ...headers, ...own, ...metadataHeaders(metadata) };
    const isBare = key === undefined && idempotencyKey === undefined && Object.keys(all).length === 0;
    return (await publisher.publish(topic as never, payload, isBare ? undefined : { headers: all, key, idempotencyKey })) as T;
  }

  /** Async, so that an error of the dispatch hook is one of the event, too. */
  async #dispatched<TResult>(pattern: Anything, data: unknown): Promise<TResult> {
    return this.dispatchEvent<TResult>(this.createPacket(pattern, data));
  }

  /** @throws MillraceError INVALID_OPTIONS */
  #service(): string {
    const { service } = this.#options as MillraceClientOptions;
    if (service === undefined) throw noService();
    return service;
  }

  #request(packet: ReadPacket, instance?: string): Asked {
    const [service, pattern] = [this.#service(), this.normalizePattern(packet.pattern as MsPattern)];
    const span = presentSpans()?.open({ operation: 'call', target: service, detail: pattern }) ?? null;
    const ask = (): StreamedAnswer => this.#asked({ service, pattern, packet, instance });
    try {
      return { items: span === null ? ask() : span.run(ask), span };
    } catch (thrown) {
      span?.end(thrown);
      throw thrown;
    }
  }

  #asked({ service, pattern, packet: { data: given, metadata }, instance }: Asking): StreamedAnswer {
    if (this.#open === null) throw new MillraceError('CLOSED', 'MillraceClient was closed: the request was not sent.');
    const { data, parts: { headers, timeout } } = recordOf(given);
    return this.#open.rpc.stream({
      service,
      version: REQUEST_VERSION,
      method: REQUEST_METHOD,
      payloadJson: requestText({ pattern, data, metadata }),
      headers: headersOf(headers),
      timeoutMs: timeout === undefined ? this.#timeoutMs : durationMs(timeout),
      idempotent: false,
      instance,
    });
  }

  async #connect(): Promise<OpenTransport> {
    const connection = new TransportConnection(this.#settings);
    this.#connection = connection;
    this.#watch = new TransportStatusWatch(connection.name, {
      status: (status) => this.#tell(status),
      error: (error) => this.#events.listenerCount('error') > 0 && this.#events.emit('error', error),
    });
    try {
      const open = await connection.open();
      if (this.#connection !== connection) throw new MillraceError('CLOSED', 'MillraceClient was closed while it connected.');
      this.#open = open;
    } catch (error) {
      await (this.#connection === connection ? this.close() : connection.close());
      throw connectionError(error);
    }
    this.#tell('connected');
    return this.#open;
  }

  #tell(status: TransportStatus): void {
    this._status$.next(status);
    this.#events.emit(status);
  }
}

const logger = new Logger('MillraceClient');

function lostEvent(pattern: string, error: unknown): string {
  return `An event of the pattern ${quote(pattern)} was not stored, and nobody subscribed to its emit(): ${asError(error).message}`;
}

interface Asking {
  readonly service: string;
  readonly pattern: string;
  readonly packet: ReadPacket;
  readonly instance: string | undefined;
}

/** A request that is under way. */
interface Asked {
  readonly items: StreamedAnswer;
  /** Ends with it; null for none. */
  readonly span: OpenSpan | null;
}

/** Hands the values of an answer over until it ends. @returns a function that says that nobody waits for more */
function relayed({ items, span }: Asked, callback: (packet: WritePacket) => void): () => void {
  let hasFailed = false;
  const fail = (err: unknown): void => {
    if (hasFailed) return;
    hasFailed = true;
    span?.end(err || WORDLESS);
    callback({ err: err || WORDLESS });
  };
  const leave = items.pour({
    item: (text) => {
      try {
        const packet = answerIn(text);
        if ('err' in packet) fail(packet.err);
        else if (!hasFailed) callback({ response: packet.response });
      } catch (error) {
        fail(error);
      }
    },
    end: (error) => {
      if (error !== null) fail(error);
      span?.end();
      if (!hasFailed) callback({ isDisposed: true });
    },
  });
  return () => {
    leave();
    span?.end();
  };
}

/** Nest takes an error that is nothing, an empty text, 0 or false for none, and its caller would wait for ever. */
const WORDLESS = Object.freeze({ status: 'error', message: 'the handler failed without an error' });

function headersOf(headers: RecordParts['headers']): Record<string, string> | undefined {
  if (headers === undefined && currentTrace() === null) return undefined;
  return withTraceHeaders(headers ?? {}, MAX_HEADERS);
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

function recordOf(data: unknown): MillraceRecord {
  return data instanceof MillraceRecord ? data : new MillraceRecord(data);
}

function noService(): MillraceError {
  return new MillraceError('INVALID_OPTIONS', 'MillraceClient has no option service, so it emits events alone: name the service of the server.');
}
