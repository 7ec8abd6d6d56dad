import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { ServiceUnavailableException } from '@nestjs/common';
import { quote } from '@millrace/core';
import { OWN_HEADERS } from './own-headers.js';

/** The parts of a look at the platform, by the names of their events. */
export type LiveSample = Readonly<Record<string, unknown>>;

export interface LiveFeedOptions {
  /** Looks once for all listeners. */
  readonly sample: () => Promise<LiveSample>;
  /** From one look to the next. A look that takes long is followed by a longer pause. */
  readonly everyMs: number;
  readonly pingMs: number;
  /** How long a listener is served: then it connects again, and its rights are looked at again. */
  readonly longestMs: number;
  readonly mostListeners: number;
  /** Listeners of one principal, so that nobody takes the places of all others. */
  readonly mostOfOne: number;
  /** A listener for whom more waits is cut off. */
  readonly mostBufferedBytes: number;
}

interface Listener {
  /** Its principal. */
  readonly name: string;
  readonly response: ServerResponse;
  readonly until: number;
}

/** Looks take a tenth of the time at the most. */
const PAUSE_PER_LOOK = 9;

const PING = 'event: ping\ndata: {}\n\n';
const FAILED = 'event: problem\ndata: {"title":"The last look has failed; the log says why."}\n\n';

/** Sends what one sampler of the process sees to all who listen, as server-sent events. It looks while somebody listens. */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  /** Ids of another start are none of this one. */
  readonly #start = Date.now().toString(36);
  #count = 0;
  /** The events of the last look; empty before there is one. */
  #last = '';
  #isLooking = false;
  #pings: NodeJS.Timeout | undefined;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Adds a listener. It gets the last look at once, unless its `Last-Event-ID` says that it has it.
   *
   * @param name that of its principal
   * @throws ServiceUnavailableException when there are too many, of all or of this principal, or the process stops
   */
  add(name: string, { headers, method }: IncomingMessage, response: ServerResponse): void {
    this.#assertRoom(name);
    // Its sender may have left while it was let in, and nothing would tell of that any more.
    if (response.destroyed) return;
    response.writeHead(200, { ...OWN_HEADERS, 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
    if (method === 'HEAD') return void response.end();
    response.flushHeaders();
    const listener = { name, response, until: performance.now() + this.#options.longestMs };
    this.#listeners.add(listener);
    response.once('close', () => this.#remove(listener));
    if (headers['last-event-id'] !== this.#id) this.#send(listener, this.#last);
    this.#pings ??= setInterval(() => this.#sendAll(PING), this.#options.pingMs);
    if (!this.#isLooking) void this.#lookOn();
  }

  /** Ends all listeners. None is added any more. */
  close(): void {
    this.#closing.abort();
    for (const listener of this.#listeners) this.#end(listener);
  }

  #assertRoom(name: string): void {
    if (this.#closing.signal.aborted) throw new ServiceUnavailableException('The server is stopping. Send it again.');
    const { mostListeners, mostOfOne } = this.#options;
    if (this.#listeners.size >= mostListeners) throw full(`${mostListeners} listen`);
    const own = [...this.#listeners].filter((listener) => listener.name === name);
    if (own.length >= mostOfOne) throw full(`${mostOfOne} listen as ${quote(name)}`);
  }

  get #id(): string {
    return `${this.#start}-${this.#count}`;
  }

  async #lookOn(): Promise<void> {
    this.#isLooking = true;
    while (this.#listeners.size > 0) {
      const began = performance.now();
      const events = await this.#look();
      const spentMs = performance.now() - began;
      this.#sendAll(events);
      await this.#pause(Math.max(this.#options.everyMs, spentMs * PAUSE_PER_LOOK));
    }
    this.#isLooking = false;
  }

  async #look(): Promise<string> {
    try {
      const sample = Object.entries(await this.#options.sample());
      this.#count += 1;
      const events = sample.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n`);
      this.#last = `${events.join('\n')}id: ${this.#id}\n\n`;
      return this.#last;
    } catch {
      // The one who looks has logged it.
      return FAILED;
    }
  }

  async #pause(ms: number): Promise<void> {
    // The stop ends the pause.
    await setTimeout(ms, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
  }

  #sendAll(text: string): void {
    for (const listener of this.#listeners) this.#send(listener, text);
  }

  #send(listener: Listener, text: string): void {
    const { response, until } = listener;
    if (performance.now() > until) return this.#end(listener);
    response.write(text);
    if (response.writableLength > this.#options.mostBufferedBytes) response.destroy();
  }

  #end(listener: Listener): void {
    this.#remove(listener);
    listener.response.end();
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#pings);
    this.#pings = undefined;
  }
}

function full(who: string): ServiceUnavailableException {
  return new ServiceUnavailableException(`${who} already, and no more may. Try again later.`);
}
