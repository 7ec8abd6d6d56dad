import { MemoryRedis, type MemoryRedisOptions } from '../memory-redis/memory-redis.js';
import { RedisError } from '../memory-redis/reply.js';
import { after } from './after.js';
import type { After } from './network.js';
import { type Answer, type Argument, type Request, Session } from './session.js';

export interface MemoryServerOptions extends Omit<MemoryRedisOptions, 'publish' | 'listeners' | 'changed' | 'nowMs'> {
  /** Whole Unix milliseconds. Default: `Date.now()`. */
  readonly nowMs?: () => number;
  /** Replicas that have everything at once, for WAIT. Default 0. */
  readonly replicas?: number;
  /** Ends reads whose time is up. Default: a timer. */
  readonly after?: After;
}

const DELETED = 'UNBLOCKED the stream key no longer exists';
const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';
const DESTROYED = 'NOGROUP the consumer group this client was blocked on no longer exists';

/** A {@link MemoryRedis} with clients: reads that wait, channels, and one command after the other of each client. */
export class MemoryServer {
  readonly memory: MemoryRedis;
  readonly #after: After;
  readonly #replicas: number;
  readonly #sessions = new Map<number, Session>();
  /** Clients that wait, in the order in which they began to. */
  readonly #waiting = new Set<Session>();
  readonly #changed = new Set<string>();
  #lastId = 0;

  constructor({ nowMs = Date.now, replicas = 0, after: afterMs = after, ...options }: MemoryServerOptions = {}) {
    this.#after = afterMs;
    this.#replicas = replicas;
    this.memory = new MemoryRedis({
      ...options,
      nowMs,
      publish: (channel, text) => this.#publish(channel, text),
      listeners: (channel) => this.#listenersOf(channel).length,
      changed: (key) => this.#changed.add(key),
    });
  }

  /** How many clients have a command that waits. */
  get blockedClients(): number {
    return this.#waiting.size;
  }

  /** Executes a command past all clients, and lets those that wait for it go on. @throws Error as {@link MemoryRedis.execute} */
  execute(command: string, ...args: readonly Argument[]): unknown {
    try {
      return this.memory.execute(command, ...args);
    } finally {
      this.#serve();
    }
  }

  /** @param heard is called for each message of a channel that the client has subscribed to */
  connect(heard: (channel: string, text: string) => void): Session {
    const session = new Session((this.#lastId += 1), heard);
    this.#sessions.set(session.id, session);
    return session;
  }

  /** The client is gone: a command of it that waits is not executed. */
  disconnect(session: Session): void {
    this.#sessions.delete(session.id);
    this.#unblock(session);
    session.backlog.length = 0;
  }

  /** Executes a command of a client, behind those that it sent before. */
  request(session: Session, request: Request): void {
    if (!this.#sessions.has(session.id)) return;
    if (session.blocked) {
      session.backlog.push(request);
      return;
    }
    this.#begin(session, request);
    this.#serve();
  }

  #begin(session: Session, request: Request): void {
    const { command, args } = request;
    const answer = answerOf(() => this.#ownOf(session, command, args) ?? this.memory.execute(command, ...args));
    const waits = 'reply' in answer ? this.#waitOf(request, answer.reply) : null;
    if (waits === null) return request.answered(answer);
    const { wait, isOver } = waits;
    const cancelTimer = wait.ms > 0 ? this.#after(wait.ms, () => this.#timeUp(session, isOver)) : nothing;
    session.blocked = { request: { ...request, args: this.#fixed(command, args) }, wait, cancelTimer };
    this.#waiting.add(session);
  }

  /** How long a command waits that has this reply at first, and the answer when its time is up; null when it does not wait. */
  #waitOf({ command, args }: Request, reply: unknown): { wait: { keys: readonly string[]; ms: number }; isOver: Answer } | null {
    if (command.toUpperCase() === 'WAIT') {
      const [wanted, ms] = args.map(Number) as [number, number];
      return wanted <= this.#replicas ? null : { wait: { keys: [], ms }, isOver: { reply: this.#replicas } };
    }
    const wait = reply === null ? this.memory.waitOf(command, ...args) : null;
    return wait && { wait, isOver: { reply: null } };
  }

  /** The arguments of a read that waits: its `$` is the end of the stream when it began. */
  #fixed(command: string, args: readonly Argument[]): readonly Argument[] {
    if (command.toUpperCase() !== 'XREAD' || !args.includes('$')) return args;
    const first = args.findIndex((arg) => String(arg).toUpperCase() === 'STREAMS') + 1;
    const count = (args.length - first) / 2;
    return args.map((arg, index) => (index >= first + count && arg === '$' ? this.#lastIdOf(String(args[index - count])) : arg));
  }

  #lastIdOf(key: string): string {
    if (this.memory.execute('EXISTS', key) === 0) return '0-0';
    const info = this.memory.execute('XINFO', 'STREAM', key) as unknown[];
    return String(info[info.indexOf('last-generated-id') + 1]);
  }

  /** Commands that are about clients. Undefined for all others. */
  #ownOf(session: Session, command: string, args: readonly Argument[]): string | number | string[] | undefined {
    switch (`${command} ${command === 'CLIENT' ? String(args[0]) : ''}`.trim().toUpperCase()) {
      case 'CLIENT ID':
        return session.id;
      case 'CLIENT UNBLOCK':
        return this.#unblockById(Number(args[1]), String(args[2] ?? 'TIMEOUT').toUpperCase() === 'ERROR');
      case 'WAIT':
        return this.#replicas;
      case 'SSUBSCRIBE':
        for (const channel of args) session.channels.add(String(channel));
        return session.channels.size;
      case 'SUNSUBSCRIBE':
        for (const channel of args) session.channels.delete(String(channel));
        return session.channels.size;
      default:
        return undefined;
    }
  }

  #unblockById(id: number, isError: boolean): number {
    const session = this.#sessions.get(id);
    if (!session?.blocked) return 0;
    this.#end(session, isError ? { error: new RedisError(UNBLOCKED) } : { reply: null });
    return 1;
  }

  #publish(channel: string, text: string): number {
    const listening = this.#listenersOf(channel);
    for (const session of listening) session.heard(channel, text);
    return listening.length;
  }

  #listenersOf(channel: string): Session[] {
    return [...this.#sessions.values()].filter(({ channels }) => channels.has(channel));
  }

  /** Lets the reads go on that wait for streams which have changed. */
  #serve(): void {
    for (const key of this.#changed) {
      this.#changed.delete(key);
      for (const session of this.#waiting) if (session.blocked!.wait.keys.includes(key)) this.#look(session, key);
    }
  }

  #look(session: Session, key: string): void {
    const { request } = session.blocked!;
    if (request.command.toUpperCase() === 'XREADGROUP' && this.memory.execute('TYPE', key) !== 'stream') {
      return this.#end(session, { error: new RedisError(DELETED) });
    }
    const answer = answerOf(() => this.memory.execute(request.command, ...request.args));
    if ('reply' in answer && answer.reply === null) return;
    const isGone = 'error' in answer && answer.error.message.startsWith('NOGROUP');
    this.#end(session, isGone ? { error: new RedisError(DESTROYED) } : answer);
  }

  #timeUp(session: Session, answer: Answer): void {
    this.#end(session, answer);
    this.#serve();
  }

  #end(session: Session, answer: Answer): void {
    const { request } = session.blocked!;
    this.#unblock(session);
    request.answered(answer);
    while (!session.blocked && session.backlog.length > 0) this.#begin(session, session.backlog.shift()!);
  }

  #unblock(session: Session): void {
    session.blocked?.cancelTimer();
    session.blocked = null;
    this.#waiting.delete(session);
  }
}

/** @throws Error a part of Redis that is not there: nothing goes on with a wrong answer */
function answerOf(work: () => ReturnType<MemoryRedis['execute']>): Answer {
  try {
    return { reply: work() };
  } catch (error) {
    if (error instanceof RedisError) return { error };
    throw error;
  }
}

function nothing(): void {
  // It waits for ever.
}
