import { type RedisConnection, RedisFailure, type Topology } from '@millrace/redis';

interface Waiting {
  readonly go: () => void;
  readonly done: Promise<unknown>;
}

/** Holds commands back, and lets them go one by one in an order that is drawn; the replies to some are lost. */
export class Gate {
  readonly #random: () => number;
  readonly #lossy: number;
  #waiting: Waiting[] = [];

  /** @param lossy the part of the replies that is lost */
  constructor(random: () => number, lossy: number) {
    this.#random = random;
    this.#lossy = lossy;
  }

  /** The same topology, with the commands of its connections for publishing behind the gate. */
  of(redis: Topology): Topology {
    return new Proxy(redis, {
      get: (target, name) => (name === 'publishFor' ? (key: string) => this.#connection(target.publishFor(key)) : bound(target, name)),
    });
  }

  /** Lets commands go until the work is done. */
  async until(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    const ended = work.finally(() => (isDone = true));
    while (!isDone) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      const [next] = this.#waiting.splice(Math.floor(this.#random() * this.#waiting.length), 1);
      next?.go();
      await next?.done.catch(() => undefined);
    }
    await ended;
  }

  #connection(connection: RedisConnection): RedisConnection {
    return new Proxy(connection, {
      get: (target, name) => {
        const member = bound(target, name);
        if (name !== 'run' && name !== 'call') return member;
        return (...args: unknown[]) => this.#hold(() => (member as (...given: unknown[]) => Promise<unknown>)(...args));
      },
    });
  }

  #hold(command: () => Promise<unknown>): Promise<unknown> {
    let go = (): void => undefined;
    const isLost = this.#random() < this.#lossy;
    const done = new Promise<void>((resolve) => (go = resolve)).then(command).then((reply) => {
      if (isLost) throw new RedisFailure('indeterminate', 'the reply was lost.', undefined);
      return reply;
    });
    this.#waiting.push({ go, done });
    return done;
  }
}

/** A member of an object, to be called on its own. */
export function bound(target: object, name: string | symbol): unknown {
  const member: unknown = Reflect.get(target, name);
  return typeof member === 'function' ? (member.bind(target) as unknown) : member;
}
