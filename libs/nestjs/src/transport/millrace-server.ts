import { EventEmitter } from 'node:events';
import { asError, isTopicRef, MillraceError, type Parsed, throwTogether, topicOfRef } from '@millrace/core';
import { type BaseRpcContext, type CustomTransportStrategy, type MessageHandler, type MsPattern, Server } from '@nestjs/microservices';
import type { Settings } from '../config/settings.js';
import { keepCauses, causeOf } from './compat.js';
import type { EventParts } from './event-subscriptions.js';
import { HandlerBook } from './handler-book.js';
import { begun, ended, processed } from './processing.js';
import type { RequestParts } from './request-service.js';
import { RunningServer } from './running-server.js';
import { onStopSignal } from './stop-signals.js';
import { MillraceServerOptions, transportSettings } from './transport-options.js';
import { type TransportEvents, type TransportStatus, TransportStatusWatch } from './transport-status.js';
import type { MillraceUnwrapped } from './unwrapped.js';

/** The transport of handlers that are for Millrace alone, in an application with several: `@EventPattern('x', MILLRACE)`. */
export const MILLRACE = Symbol('millrace');

/**
 * Nest's handlers on Millrace: `createMicroservice(AppModule, { strategy: new MillraceServer({ service: 'orders' }) })`. Events
 * are durable, and acknowledged when every handler of their pattern has succeeded.
 */
export class MillraceServer extends Server<TransportEvents, TransportStatus> implements CustomTransportStrategy {
  override transportId = MILLRACE;
  /** An event whose handler fails is tried again, so the failure must come back. */
  override readonly propagatesEventHandlerErrors = true;
  readonly #options: Parsed<MillraceServerOptions>;
  readonly #settings: Settings;
  readonly #book = new HandlerBook();
  readonly #events = new EventEmitter();
  readonly #call: EventParts['call'] = async ({ callback }, data, context) => {
    try {
      const work = async (): Promise<unknown> => ended(callback(data, context), () => context.signal);
      return await processed((begin) => this.runWithProcessingHooks(context, begin), work);
    } catch (shown) {
      throw asThrown(causeOf(shown));
    }
  };
  readonly #answer: RequestParts['answer'] = ({ callback }, data, context) =>
    begun((begin) => this.runWithProcessingHooks(context, begin), () => callback(data, context));
  #running: RunningServer | null = null;
  #starting: Promise<void> | null = null;
  #release: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  /** @throws MillraceError INVALID_OPTIONS with every problem of options and environment */
  constructor(options: MillraceServerOptions) {
    super();
    const { options: own, settings } = transportSettings(MillraceServerOptions, options, 'MillraceServer');
    this.#options = own;
    this.#settings = settings;
    keepCauses();
  }

  override addHandler(...[pattern, callback, isEventHandler = false, extras = {}]: Parameters<Server['addHandler']>): void {
    const route = this.normalizePattern(pattern as MsPattern);
    Object.assign(callback, { isEventHandler, extras });
    this.#book.add({ route, pattern, callback, isEvent: isEventHandler, extras });
    if (!this.messageHandlers.has(route)) this.messageHandlers.set(route, callback);
  }

  override getHandlerByPattern(pattern: string): MessageHandler | null {
    const route = this.getRouteFromPattern(pattern);
    return this.messageHandlers.get(route) ?? this.#book.requestHandler(route)?.callback ?? null;
  }

  /**
   * Gives `callback` a MillraceError when it cannot start: CONTRACT_CONFLICT or INVALID_NAME for patterns that cannot be served,
   * INVALID_OPTIONS for their extras, REDIS_UNREACHABLE, REDIS_UNSUPPORTED, TOPIC_MISMATCH. A server that runs is not started
   * again.
   */
  override async listen(callback: (error?: unknown) => unknown): Promise<void> {
    this.#starting ??= this.#start();
    try {
      await this.#starting;
    } catch (error) {
      await this.close();
      callback(error);
      return;
    }
    callback();
  }

  /** Stops fetching, lets handlers at work finish, and closes the connections. May be called again. */
  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  override on<Event extends keyof TransportEvents>(event: Event, callback: TransportEvents[Event]): this {
    this.#events.on(event, callback);
    return this;
  }

  /** The tools of operators on this server's connections: {@link MillraceUnwrapped}. */
  override unwrap<T = MillraceUnwrapped>(): T {
    if (this.#running === null) throw new Error('MillraceServer is not listening: there is nothing to unwrap.');
    return this.#running.unwrapped() as T;
  }

  protected override normalizePattern(pattern: MsPattern): string {
    return isTopicRef(pattern) ? topicOfRef(pattern).name : super.normalizePattern(pattern);
  }

  /** A hook that throws when the work has ended would end the process, and changes nothing about the work. */
  protected override createProcessingEndHookRunner(context: BaseRpcContext): () => void {
    const end = super.createProcessingEndHookRunner(context);
    return () => {
      try {
        end();
      } catch (error) {
        this.logger.error(error);
      }
    };
  }

  async #start(): Promise<void> {
    throwTogether('The patterns of this application cannot be served.', this.#book.problems());
    await this.#closing;
    this.#closing = null;
    const onError = (error: Error): boolean => this.#events.listenerCount('error') > 0 && this.#events.emit('error', error);
    const calls = { call: this.#call, answer: this.#answer, onError };
    const running = new RunningServer({ settings: this.#settings, options: this.#options, book: this.#book, ...calls });
    this.#running = running;
    const watch = new TransportStatusWatch(running.connectionName, { status: (status) => this.#tell(status), error: onError });
    const forget = onStopSignal(() => void running.drain());
    this.#release = () => {
      watch.stop();
      forget();
    };
    await running.start();
    if (this.#running !== running) throw new MillraceError('CLOSED', 'MillraceServer was closed while it started.');
    this.#tell('connected');
  }

  async #close(): Promise<void> {
    this.#starting = null;
    const running = this.#running;
    await running?.stop();
    this.#release?.();
    this.#running = null;
    if (running !== null) this.#tell('disconnected');
  }

  #tell(status: TransportStatus): void {
    this._status$.next(status);
    this.#events.emit(status);
  }
}

/** Filters may give anything: an object with a message stays readable in a dead letter. */
function asThrown(thrown: unknown): Error {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) return asError(thrown);
  const { message } = thrown as { message?: unknown };
  return typeof message === 'string' ? new Error(message, { cause: thrown }) : asError(thrown);
}
