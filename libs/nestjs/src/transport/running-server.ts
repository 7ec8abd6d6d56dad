import { MillraceError, type Parsed } from '@millrace/core';
import type { Serving } from '@millrace/rpc';
import type { Settings } from '../config/settings.js';
import { labelOf } from './event-groups.js';
import { type EventPlans, eventPlans } from './event-plans.js';
import { type EventParts, EventSubscriptions } from './event-subscriptions.js';
import type { HandlerBook, RegisteredHandler } from './handler-book.js';
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
  readonly onError: EventParts['onError'];
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

  /** One that is drained while it connects begins nothing. */
  async start(): Promise<void> {
    const { book, call, answer, onError, settings: { unknownProperties }, options } = this.#parts;
    const { service: group, concurrency, retry, timeout } = options;
    const defaults = { group, concurrency, retry, ...((timeout as string | undefined) && { timeout }) };
    // Mistakes are found before anything is connected.
    const plans = eventPlans(book.events, defaults);
    const ownInbox = this.#withInbox(plans);
    this.#open = await this.#connection.open();
    if (this.#drained !== null) return;
    const { streams, topics, rpc, inbox, ledgers } = this.#open;
    await inbox.prepare(ownInbox);
    const means = { streams, topics, inbox, ledgers };
    this.#events = new EventSubscriptions({ ...means, handlers: book.events, plans, defaults, unknownProperties, call, onError });
    await this.#events.start();
    inbox.startPurge();
    if (book.requests.length === 0 || this.#drained !== null) return;
    const { requestConcurrency, answerBufferBytes: bufferBytes } = options;
    this.#serving = await serveRequests({ rpc, service: group, concurrency: requestConcurrency, bufferBytes, book, answer });
  }

  /** The first part of the names of its connections. */
  get connectionName(): string {
    return this.#connection.name;
  }

  unwrapped(): MillraceUnwrapped {
    if (this.#open === null) throw new Error('MillraceServer is still connecting: there is nothing to unwrap.');
    return { ...this.#open.unwrapped, subscriptions: () => this.#events?.states() ?? [] };
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

  /** @throws MillraceError INBOX_NOT_CONFIGURED */
  #withInbox({ named, samples }: EventPlans): { readonly inbox: boolean }[] {
    const { databaseUrl, databaseSource } = this.#parts.settings;
    const wanting = [...named.flatMap(({ plans }) => plans), ...samples].filter(({ rules }) => rules.inbox);
    const [first] = wanting.flatMap(({ members }) => members);
    if (first && databaseUrl === null && databaseSource === null) throw noDatabase(first.handler);
    return wanting.map(({ rules }) => rules);
  }

  async #drain(): Promise<void> {
    const { shutdownTimeoutMs } = this.#parts.settings;
    await Promise.all([this.#events?.stop(shutdownTimeoutMs), this.#serving?.stop(shutdownTimeoutMs)]);
  }
}

function noDatabase(handler: RegisteredHandler): MillraceError {
  const what = `${labelOf(handler)} has inbox: true, but no database is named`;
  return new MillraceError('INBOX_NOT_CONFIGURED', `${what}: set DATABASE_URL, or give MillraceServer the option database.`);
}
