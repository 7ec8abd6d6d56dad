import { EventEmitter } from 'node:events';
import { durationMs, isTopicRef, MAX_HEADERS, MillraceError, type Parsed, type PublishResult, topicOfRef, withTraceHeaders } from '@millrace/core';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { Settings } from '../config/settings.js';
import { contractIn } from './handler-book.js';
import { MillraceRecord } from './millrace-record.js';
import { REQUEST_METHOD, REQUEST_VERSION } from './request-service.js';
import { type OpenTransport, TransportConnection } from './transport-connection.js';
import { MillraceClientOptions, transportSettings } from './transport-options.js';
import { type TransportEvents, type TransportStatus, TransportStatusWatch } from './transport-status.js';
import type { MillraceUnwrapped } from './unwrapped.js';
import { answerIn, metadataHeaders, plainEvent, requestText } from './wire.js';

/**
 * Nest's client on Millrace, by itself or by `ClientsModule.register([{ name, customClass: MillraceClient, options }])`.
 * Its `emit` gives a `PublishResult` when the event is stored; its `send` has a deadline always.
 */
export class MillraceClient extends ClientProxy<TransportEvents> {
  readonly #options: Parsed<MillraceClientOptions>;
  readonly #settings: Settings;
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
  }

  /** Connects once; after a failure, and after `close()`, anew. @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED */
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

  protected override normalizePattern(pattern: MsPattern): string {
    return isTopicRef(pattern) ? topicOfRef(pattern).name : super.normalizePattern(pattern);
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    try {
      const items = this.#request(packet)[Symbol.asyncIterator]();
      void relay(items, callback);
      return () => void items.return?.();
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
  }

  protected override async dispatchEvent<T = PublishResult>({ pattern, data: given, metadata }: ReadPacket): Promise<T> {
    const { topics, unwrapped: { publisher } } = await this.connect();
    const { data, parts: { headers, key, idempotencyKey } } = recordOf(given);
    const contract = contractIn(pattern);
    const topic = contract ?? (await topics.plain(this.normalizePattern(pattern as MsPattern)));
    const { payload, headers: own } = contract === null ? plainEvent(data) : { payload: data, headers: {} };
    const options = { headers: { ...headers, ...own, ...metadataHeaders(metadata) }, key, idempotencyKey };
    return (await publisher.publish(topic as never, payload, options)) as T;
  }

  #request({ pattern, data: given, metadata }: ReadPacket): AsyncIterable<string> {
    const { service, timeout: usual } = this.#options as MillraceClientOptions;
    if (service === undefined) throw noService();
    if (this.#open === null) throw new MillraceError('CLOSED', 'MillraceClient was closed: the request was not sent.');
    const { data, parts: { headers = {}, timeout = usual! } } = recordOf(given);
    return this.#open.rpc.stream({
      service,
      version: REQUEST_VERSION,
      method: REQUEST_METHOD,
      payloadJson: requestText({ pattern: this.normalizePattern(pattern as MsPattern), data, metadata }),
      headers: withTraceHeaders(headers, MAX_HEADERS),
      timeoutMs: durationMs(timeout),
      idempotent: false,
    });
  }

  async #connect(): Promise<OpenTransport> {
    const connection = new TransportConnection(this.#settings);
    this.#connection = connection;
    this.#watch = new TransportStatusWatch(this.#settings.prefix, {
      status: (status) => this.#tell(status),
      error: (error) => this.#events.listenerCount('error') > 0 && this.#events.emit('error', error),
    });
    try {
      const open = await connection.open();
      if (this.#connection !== connection) throw new MillraceError('CLOSED', 'MillraceClient was closed while it connected.');
      this.#open = open;
    } catch (error) {
      await (this.#connection === connection ? this.close() : connection.close());
      throw error;
    }
    this.#tell('connected');
    return this.#open;
  }

  #tell(status: TransportStatus): void {
    this._status$.next(status);
    this.#events.emit(status);
  }
}

/** Hands the values of an answer over until it ends. It never rejects. */
async function relay(items: AsyncIterator<string>, callback: (packet: WritePacket) => void): Promise<void> {
  try {
    for (;;) {
      const item = await items.next();
      if (item.done === true) { callback({ isDisposed: true }); return; }
      const packet = answerIn(item.value);
      if ('err' in packet) { callback({ err: packet.err ?? { status: 'error', message: 'the handler failed without an error' } }); return; }
      callback({ response: packet.response });
    }
  } catch (err) {
    callback({ err });
  }
}

function recordOf(data: unknown): MillraceRecord {
  return data instanceof MillraceRecord ? data : new MillraceRecord(data);
}

function noService(): MillraceError {
  return new MillraceError('INVALID_OPTIONS', 'MillraceClient has no option service, so it emits events alone: name the service of the server.');
}
