import { type DriverEvents, type Profile, PROFILES, type RedisArgument, type RedisDriver } from '@millrace/redis';
import { after } from './after.js';
import type { MemoryServer } from './memory-server.js';
import type { After, MemoryNetwork, Packet, PacketFate } from './network.js';
import { Pipe } from './pipe.js';
import type { Answer, Session } from './session.js';

/** A command without an answer. */
interface Sent {
  readonly sentAtMs: number;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Its time was up: the answer that may still come belongs to nobody. */
  isGivenUp: boolean;
}

/** One connection from its making to its end. */
interface Link {
  readonly session: Session;
  readonly requests: Pipe;
  readonly replies: Pipe;
  readonly sent: Sent[];
}

export interface MemoryDriverOptions {
  readonly name: string;
  readonly profile: Profile;
  readonly network: MemoryNetwork;
  /** Whether an error that Redis replies has the driver connect again. */
  readonly reconnectOnError: (error: Error) => boolean;
}

/** A client of a Redis in memory: it does as ioredis does with the options of a {@link Profile}, its time limits included. */
export class MemoryDriver implements RedisDriver {
  status = 'wait';
  readonly #server: MemoryServer;
  readonly #options: MemoryDriverOptions;
  readonly #atClient: After;
  readonly #listeners = new Map<keyof DriverEvents, (...args: never[]) => void>();
  #link: Link | null = null;
  #attempts = 0;
  #heardAtMs = 0;
  #watching: NodeJS.Timeout | null = null;
  #isKilled = false;

  constructor(server: MemoryServer, options: MemoryDriverOptions) {
    this.#server = server;
    this.#options = options;
    this.#atClient = options.network.atClient ?? after;
  }

  on<Name extends keyof DriverEvents>(event: Name, listener: DriverEvents[Name]): void {
    this.#listeners.set(event, listener);
  }

  /** Its failure is an event, as that of each later attempt is. */
  connect(): Promise<void> {
    this.status = 'connecting';
    const fate = this.#fate('connect');
    const { connectTimeout = 0 } = PROFILES[this.#options.profile];
    const error = fate === 'lost' ? 'connect ECONNREFUSED' : fate === 'silent' ? 'connect ETIMEDOUT' : null;
    this.#atClient(typeof fate === 'number' ? fate : fate === 'silent' ? connectTimeout : 0, () => {
      if (this.status !== 'connecting') return;
      if (error === null) return this.#connected();
      this.#emit('error', new Error(error));
      this.#closed();
    });
    return Promise.resolve();
  }

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#send(command, args);
  }

  ssubscribe(...channels: string[]): Promise<unknown> {
    return this.#send('SSUBSCRIBE', channels);
  }

  sunsubscribe(...channels: string[]): Promise<unknown> {
    return this.#send('SUNSUBSCRIBE', channels);
  }

  /** Requests on their way still arrive. */
  disconnect(): void {
    const link = this.#link;
    if (this.status === 'end') return;
    this.status = 'end';
    this.#link = null;
    if (link) this.#hangUp(link);
    this.#atClient(0, () => this.#ended(link, 'Connection is closed.'));
  }

  /** The connection ends as by a TCP reset: neither requests nor replies on their way arrive. It is made again. */
  lose(): void {
    const link = this.#link;
    if (!link || this.#isKilled) return;
    this.#cut(link);
    this.#atClient(0, () => this.#lost(link, 'read ECONNRESET'));
  }

  /** The client sees a reset, and connects again; requests that it has sent still arrive, however late. */
  loseReplies(): void {
    const link = this.#link;
    if (!link || this.#isKilled) return;
    this.#hangUp(link);
    this.#atClient(0, () => this.#lost(link, 'read ECONNRESET'));
  }

  /** The process is gone: requests on their way still arrive, and nothing else happens here any more. */
  kill(): void {
    this.#isKilled = true;
    this.#stopWatching();
    if (this.#link) this.#hangUp(this.#link);
  }

  #connected(): void {
    const session = this.#server.connect((channel, text) => {
      const fate = this.#fate('message');
      replies.send(fate, () => this.#emit('smessage', channel, text));
    });
    const requests = new Pipe(this.#options.network.atServer ?? after, () => this.lose());
    const replies = new Pipe(this.#atClient, () => this.loseReplies());
    this.#link = { session, requests, replies, sent: [] };
    this.#attempts = 0;
    this.status = 'ready';
    this.#emit('ready');
  }

  #send(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    const link = this.#link;
    if (!link || this.status !== 'ready') return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    return new Promise((resolve, reject) => {
      const sent: Sent = { sentAtMs: performance.now(), resolve, reject, isGivenUp: false };
      if (link.sent.length === 0) this.#heardAtMs = sent.sentAtMs;
      link.sent.push(sent);
      this.#watch();
      link.requests.send(this.#fate('request', command, args), () => {
        const answered = (answer: Answer): void => link.replies.send(this.#fate('reply', command, args), () => this.#answered(link, answer));
        this.#server.request(link.session, { command, args, answered });
      });
    });
  }

  #answered(link: Link, answer: Answer): void {
    this.#heardAtMs = performance.now();
    const sent = link.sent.shift()!;
    if (!sent.isGivenUp) {
      if ('reply' in answer) sent.resolve(answer.reply);
      else sent.reject(answer.error);
    }
    if ('error' in answer && this.#options.reconnectOnError(answer.error)) this.lose();
  }

  /** Ends commands and connections whose time is up: one timer does for all that are under way. */
  #watch(): void {
    if (this.#watching) return;
    const dueAtMs = this.#dueAtMs();
    if (dueAtMs === null) return;
    this.#watching = setTimeout(() => {
      this.#watching = null;
      this.#giveUpOverdue();
      this.#watch();
    }, Math.max(1, Math.ceil(dueAtMs - performance.now())));
    this.#watching.unref();
  }

  #dueAtMs(): number | null {
    const { commandTimeout = Number.POSITIVE_INFINITY, socketTimeout = 0 } = PROFILES[this.#options.profile];
    const sent = this.#link?.sent ?? [];
    if (sent.length === 0) return null;
    const oldest = sent.find(({ isGivenUp }) => !isGivenUp);
    return Math.min((oldest?.sentAtMs ?? Number.POSITIVE_INFINITY) + commandTimeout, this.#heardAtMs + socketTimeout);
  }

  #giveUpOverdue(): void {
    const link = this.#link;
    if (!link) return;
    const nowMs = performance.now();
    const { commandTimeout = Number.POSITIVE_INFINITY, socketTimeout = 0 } = PROFILES[this.#options.profile];
    for (const sent of link.sent.filter(({ sentAtMs, isGivenUp }) => !isGivenUp && sentAtMs + commandTimeout <= nowMs)) {
      sent.isGivenUp = true;
      sent.reject(new Error('Command timed out'));
    }
    if (link.sent.length === 0 || this.#heardAtMs + socketTimeout > nowMs) return;
    this.#hangUp(link);
    this.#lost(link, `Socket timeout. Expecting data, but didn't receive any in ${socketTimeout}ms.`);
  }

  #stopWatching(): void {
    if (this.#watching) clearTimeout(this.#watching);
    this.#watching = null;
  }

  /** The client closes: the server sees it behind the requests. */
  #hangUp(link: Link): void {
    link.replies.break();
    link.requests.send(0, () => this.#server.disconnect(link.session));
  }

  #cut(link: Link): void {
    link.requests.break();
    link.replies.break();
    this.#server.disconnect(link.session);
  }

  #lost(link: Link, why: string): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#emit('error', new Error(why));
    this.#ended(link, why);
  }

  #ended(link: Link | null, why: string): void {
    this.#stopWatching();
    for (const { reject } of link?.sent.splice(0) ?? []) reject(new Error(why));
    this.#closed();
  }

  /** Connects again, later and later. */
  #closed(): void {
    this.#emit('close');
    if (this.status === 'end') return;
    this.status = 'reconnecting';
    this.#attempts += 1;
    const { retryStrategy } = PROFILES[this.#options.profile];
    this.#atClient(Number(retryStrategy?.(this.#attempts)), () => {
      if (this.status === 'reconnecting') void this.connect();
    });
  }

  #fate(direction: Packet['direction'], command = '', args: readonly RedisArgument[] = []): PacketFate {
    return this.#options.network.fate?.({ connection: this.#options.name, direction, command, args }) ?? 0;
  }

  #emit<Name extends keyof DriverEvents>(event: Name, ...args: Parameters<DriverEvents[Name]>): void {
    (this.#listeners.get(event) as ((...given: Parameters<DriverEvents[Name]>) => void) | undefined)?.(...args);
  }
}
