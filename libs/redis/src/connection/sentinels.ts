import { asError, emit, errorRecord, messageOf } from '@millrace/core';
import { Redis } from 'ioredis';
import { SENTINEL_PROFILE } from './profiles.js';
import type { RedisAddress } from './redis-address.js';
import { shownText } from './redis-failure.js';
import { hearingErrors } from './socket-errors.js';
import { credentialsOf, type SentinelsOfTarget, trustFor } from './redis-target.js';

/** Told of the primary each time that it may be another one. */
export type PrimaryFollower = (primary: RedisAddress) => void;

/** The primary by one Sentinel. One with a higher epoch came later. */
interface Named {
  readonly address: RedisAddress;
  readonly epoch: number;
}

/** How long the last ones are waited for when most Sentinels have answered. */
const LAST_ANSWERS_MS = 50;
const SWITCHED = '+switch-master';

/**
 * Sentinels, which name the primary and announce its successors. There is one connection to each of them, from the first
 * question on; it is made again until it is closed.
 */
export class Sentinels {
  readonly #each: readonly Sentinel[];
  readonly #followers = new Set<PrimaryFollower>();

  /** @param name of its connections, as `CLIENT LIST` shows it */
  constructor(options: SentinelsOfTarget, name: string) {
    this.#each = options.nodes.map((node) => new Sentinel({ ...options, ...node, name }, () => void this.#tell()));
  }

  /**
   * While a failover ends, Sentinels name different servers for up to two seconds: the one that came last counts.
   *
   * @throws Error that has what each of them said, when none names a primary
   */
  async whoIsPrimary(): Promise<RedisAddress> {
    const answers: (Named | Error)[] = [];
    await new Promise<void>((resolve) => {
      for (const sentinel of this.#each) {
        void sentinel.named().catch(asError).then((answer) => {
          answers.push(answer);
          if (answers.length === this.#each.length) resolve();
          else if (answers.filter(isNamed).length > this.#each.length / 2) setTimeout(resolve, LAST_ANSWERS_MS);
        });
      }
    });
    const [last] = answers.filter(isNamed).sort((one, other) => other.epoch - one.epoch);
    if (last) return last.address;
    throw new Error(`No Sentinel names a primary: ${answers.map((answer) => messageOf(answer as Error)).join('; ')}`);
  }

  /** @returns a function that ends it */
  follow(follower: PrimaryFollower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  close(): void {
    for (const sentinel of this.#each) sentinel.close();
  }

  /** When no Sentinel answers, connections stay as they are: whoever loses one asks again. */
  async #tell(): Promise<void> {
    if (this.#followers.size === 0) return;
    const primary = await this.whoIsPrimary().catch(() => null);
    if (primary !== null) for (const follower of [...this.#followers]) follower(primary);
  }
}

type OneSentinel = Omit<SentinelsOfTarget, 'nodes'> & RedisAddress & { readonly name: string };

class Sentinel {
  readonly #where: string;
  readonly #options: OneSentinel;
  readonly #redis: Redis;
  #lastError: Error | null = null;

  /** @param changed called when this Sentinel may name another primary than before */
  constructor(options: OneSentinel, changed: () => void) {
    const { host, port, name, primary, tls } = options;
    this.#where = `${host}:${port}`;
    this.#options = options;
    const trust = tls ? { tls: trustFor(host, tls) } : {};
    const where = { host, port, connectionName: name };
    this.#redis = hearingErrors(new Redis({ ...SENTINEL_PROFILE, ...where, ...credentialsOf(options), ...trust }));
    this.#redis.on('error', (error: unknown) => void (this.#lastError = asError(error)));
    this.#redis.on('message', (_channel: string, text: string) => {
      if (text.startsWith(`${primary} `)) changed();
    });
    this.#redis.on('ready', () => {
      this.#lastError = null;
      // A failover that was announced while there was no connection was missed.
      this.#redis.subscribe(SWITCHED).then(changed, (error: unknown) => this.#isDeaf(error));
    });
  }

  /** @throws Error with the address of this Sentinel */
  async named(): Promise<Named> {
    const { primary, natMap = {} } = this.#options;
    try {
      const asked = [this.#redis.call('SENTINEL', 'MASTER', primary), this.#redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primary)];
      const [about, address] = await Promise.all(asked);
      const [host, port] = address as [string, string];
      return { address: natMap[`${host}:${port}`] ?? { host, port: Number(port) }, epoch: epochOf(about as string[]) };
    } catch (error) {
      throw new Error(`${this.#where}: ${shownText(messageOf(this.#lastError ?? asError(error)))}`, { cause: error });
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** The other Sentinels announce the same. */
  #isDeaf(error: unknown): void {
    if (this.#redis.status !== 'ready') return;
    const text = `The Sentinel at ${this.#where} refuses to announce failovers: ${shownText(messageOf(asError(error)))}.`;
    emit('connection', { name: this.#options.name, state: 'failed', error: errorRecord(new Error(text)) });
  }
}

function isNamed(answer: Named | Error): answer is Named {
  return !(answer instanceof Error);
}

/** @param about the names and values that SENTINEL MASTER replies, in turns */
function epochOf(about: readonly string[]): number {
  return Number(about[about.indexOf('config-epoch') + 1]);
}
