import type { Parsed } from '@millrace/core';
import type { Serving } from '@millrace/rpc';
import type { Settings } from '../config/settings.js';
import type { EventParts } from './event-subscriptions.js';
import { EventSubscriptions } from './event-subscriptions.js';
import type { HandlerBook } from './handler-book.js';
import { type RequestParts, serveRequests } from './request-service.js';
import type { MillraceServerOptions } from './transport-options.js';
import { type OpenTransport, TransportConnection } from './transport-connection.js';
import type { MillraceUnwrapped } from './unwrapped.js';

interface RunningParts {
  readonly settings: Settings;
  readonly options: Parsed<MillraceServerOptions>;
  readonly book: HandlerBook;
  readonly call: EventParts['call'];
  readonly answer: RequestParts['answer'];
}

/** A server from its start to its end: starting -> running -> draining -> stopped. */
export class RunningServer {
  readonly #parts: RunningParts;
  readonly #connection: TransportConnection;
  #open: OpenTransport | null = null;
  #events: EventSubscriptions | null = null;
  #serving: Serving | null = null;
  #drained: Promise<void> | null = null;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.#connection = new TransportConnection(parts.settings);
  }

  async start(): Promise<void> {
    this.#open = await this.#connection.open();
    const { streams, topics, rpc } = this.#open;
    const { book, call, answer, settings: { unknownProperties }, options } = this.#parts;
    const { service: group, concurrency, retry, timeout, answerBufferBytes: bufferBytes } = options;
    const defaults = { group, concurrency, retry, ...((timeout as string | undefined) && { timeout }) };
    this.#events = new EventSubscriptions({ streams, topics, handlers: book.events, defaults, unknownProperties, call });
    await this.#events.start();
    if (book.requests.length === 0) return;
    this.#serving = await serveRequests({ rpc, service: group, concurrency, bufferBytes, book, answer });
  }

  unwrapped(): MillraceUnwrapped {
    if (this.#open === null) throw new Error('MillraceServer is still connecting: there is nothing to unwrap.');
    return this.#open.unwrapped;
  }

  /** Stops fetching and lets handlers at work finish. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async stop(): Promise<void> {
    await this.drain();
    await this.#connection.close();
  }

  async #drain(): Promise<void> {
    const { shutdownTimeoutMs } = this.#parts.settings;
    await Promise.all([this.#events?.stop(shutdownTimeoutMs), this.#serving?.stop(shutdownTimeoutMs)]);
  }
}
