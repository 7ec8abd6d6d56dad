import { MillraceError, type Replicated } from '@millrace/core';
import { type Command, type Outcome, type RedisConnection, RedisFailure, redisFailure, type ServerFacts } from '@millrace/redis';

/** The things that are stored: `message`, `idempotency key`, `outcome`. Errors name them. */
export type Stored = string;

/** The durability that a write must reach before it counts. */
export interface Confirmation {
  /**
   * Resolves when the server is able to confirm; nothing is written before.
   *
   * @throws RedisFailure
   * @throws MillraceError REDIS_UNSUPPORTED
   */
  check(redis: RedisConnection): Promise<void>;
  /** Asks whether all that was sent on the same connection so far is confirmed; null where the answer of Redis says so itself. */
  readonly command: Command | null;
  /**
   * @param outcome that of the command
   * @throws Unconfirmed it is stored, and nobody confirms more
   * @throws RedisFailure INDETERMINATE: the answer was lost
   */
  assertConfirmed(outcome: Outcome): void;
}

/** The write is stored, but not as safely as was asked for. */
export class Unconfirmed extends Error {}

/** A given number of replicas have the write. */
export class ReplicaConfirmation implements Confirmation {
  readonly command: Command;
  readonly #wanted: Replicated;
  readonly #stored: Stored;

  constructor(wanted: Replicated, stored: Stored) {
    this.#wanted = wanted;
    this.#stored = stored;
    this.command = ['WAIT', wanted.replicas, wanted.timeoutMs];
  }

  async check(): Promise<void> {
    // Every Redis can count its replicas, and those that are there now may be gone a moment later.
  }

  assertConfirmed(outcome: Outcome): void {
    const { replicas, timeoutMs } = this.#wanted;
    const confirmed = Number(replyIn(outcome, this.#stored));
    if (confirmed >= replicas) return;
    throw new Unconfirmed(
      `${confirmed} of ${replicas} replicas confirmed the ${this.#stored} within ${timeoutMs} ms. The ${this.#stored} is stored on the primary, ` +
        'and lost if that fails before they have it.',
    );
  }
}

/** The server has written it to its disk: by WAITAOF where it can be asked so, else by its configuration. */
export class FsyncConfirmation implements Confirmation {
  readonly command: Command | null;
  readonly #timeoutMs: number;
  readonly #stored: Stored;
  /** The epoch of the connection that was checked: after a failover another server answers. */
  #checkedAt: number | null = null;

  constructor(timeoutMs: number, stored: Stored, server: Pick<ServerFacts, 'capabilities'>) {
    this.#timeoutMs = timeoutMs;
    this.#stored = stored;
    // Elsewhere, with `appendfsync always`, Redis answers a script only when its effects are on the disk.
    this.command = server.capabilities.has('waitaof') ? ['WAITAOF', 1, 0, timeoutMs] : null;
  }

  async check(redis: RedisConnection): Promise<void> {
    const { connectionEpoch } = redis;
    if (this.#checkedAt === connectionEpoch) return;
    try {
      if (this.command) await redis.call('WAITAOF', 1, 0, 1);
      else await assertAlwaysSynced(redis);
    } catch (thrown) {
      const failure = redisFailure(thrown, 'fsynced');
      if (failure.kind === 'fatal' || failure.kind === 'unknown') throw unsupported(this.#stored, failure);
      throw thrown;
    }
    this.#checkedAt = connectionEpoch;
  }

  assertConfirmed(outcome: Outcome): void {
    const [onDisk] = replyIn(outcome, this.#stored) as [number];
    if (onDisk >= 1) return;
    throw new Unconfirmed(
      `Redis did not write the ${this.#stored} to its disk within ${this.#timeoutMs} ms. The ${this.#stored} is in its memory, and lost if it crashes now.`,
    );
  }
}

/** A failure here comes after the write: a transient one has it sent again, a permanent one leaves it unconfirmed. */
function replyIn(outcome: Outcome, stored: Stored): unknown {
  if (outcome.status === 'fulfilled') return outcome.value;
  const failure = redisFailure(outcome.reason, 'the confirmation');
  if (failure.kind !== 'fatal' && failure.kind !== 'unknown') throw new RedisFailure('indeterminate', failure.message, failure);
  throw new Unconfirmed(`The ${stored} is stored, but Redis refused to confirm its durability: ${failure.message}`, { cause: failure });
}

async function assertAlwaysSynced(redis: RedisConnection): Promise<void> {
  const appendonly = (await redis.call('CONFIG', 'GET', 'appendonly')) as string[];
  const appendfsync = (await redis.call('CONFIG', 'GET', 'appendfsync')) as string[];
  if (appendonly[1] !== 'yes' || appendfsync[1] !== 'always') {
    throw new RedisFailure('fatal', `it has appendonly ${String(appendonly[1])} and appendfsync ${String(appendfsync[1])}.`, undefined);
  }
}

function unsupported(stored: Stored, cause: RedisFailure): MillraceError {
  return new MillraceError(
    'REDIS_UNSUPPORTED',
    `The ${stored} was not stored: this Redis cannot confirm durability fsynced(): ${cause.message} Use Redis 7.2 or newer with appendonly yes; or ` +
      'appendonly yes with appendfsync always, and let the user of this connection read both by CONFIG GET; or another durability.',
    { cause },
  );
}
