import { IndefinitePublishError, MillraceError, type Replicated } from '@millrace/core';
import { type Command, type Outcome, type RedisConnection, RedisFailure, redisFailure, type ServerFacts } from '@millrace/redis';

/** The durability that a stored batch must reach before its publishes resolve. */
export interface Confirmation {
  /**
   * Resolves when the server is able to confirm; no message is sent before.
   * @throws MillraceError REDIS_UNSUPPORTED
   */
  check(redis: RedisConnection): Promise<void>;
  /** Asks whether all that was sent on the same connection so far is confirmed; null where the answer of Redis says so itself. */
  readonly command: Command | null;
  /**
   * @param outcome that of the command
   * @throws IndefinitePublishError not confirmed: the messages are stored all the same
   */
  assertConfirmed(outcome: Outcome): void;
}

const REPEAT = 'Publish it again with the same idempotency key: that stores nothing new, and asks again; without one it may be stored twice.';

/** A given number of replicas have the message. */
export class ReplicaConfirmation implements Confirmation {
  readonly command: Command;
  readonly #wanted: Replicated;

  constructor(wanted: Replicated) {
    this.#wanted = wanted;
    this.command = ['WAIT', wanted.replicas, wanted.timeoutMs];
  }

  async check(): Promise<void> {
    // Every Redis can count its replicas, and those that are there now may be gone a moment later.
  }

  assertConfirmed(outcome: Outcome): void {
    const { replicas, timeoutMs } = this.#wanted;
    const confirmed = Number(replyIn(outcome));
    if (confirmed >= replicas) return;
    throw new IndefinitePublishError(
      `${confirmed} of ${replicas} replicas confirmed the message within ${timeoutMs} ms. It is stored on the primary, and lost if that ` +
        `fails before they have it. ${REPEAT}`,
    );
  }
}

/** The server has written the message to its disk: by WAITAOF where it can be asked so, else by its configuration. */
export class FsyncConfirmation implements Confirmation {
  readonly command: Command | null;
  readonly #timeoutMs: number;
  /** The epoch of the connection that was checked: after a failover another server answers. */
  #checkedAt: number | null = null;

  constructor(timeoutMs: number, server: Pick<ServerFacts, 'capabilities'>) {
    this.#timeoutMs = timeoutMs;
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
      if (failure.kind === 'fatal' || failure.kind === 'unknown') throw unsupported(failure);
      throw thrown;
    }
    this.#checkedAt = connectionEpoch;
  }

  assertConfirmed(outcome: Outcome): void {
    const [onDisk] = replyIn(outcome) as [number];
    if (onDisk >= 1) return;
    throw new IndefinitePublishError(
      `Redis did not write the message to its disk within ${this.#timeoutMs} ms. It is stored in its memory, and lost if it crashes now. ${REPEAT}`,
    );
  }
}

/** A failure here comes after the batch was stored: a transient one has it sent again, a permanent one is indefinite. */
function replyIn(outcome: Outcome): unknown {
  if (outcome.status === 'fulfilled') return outcome.value;
  const failure = redisFailure(outcome.reason, 'the confirmation');
  if (failure.kind !== 'fatal' && failure.kind !== 'unknown') throw new RedisFailure('indeterminate', failure.message, failure);
  throw new IndefinitePublishError(`The message is stored, but Redis refused to confirm its durability: ${failure.message} ${REPEAT}`, failure);
}

async function assertAlwaysSynced(redis: RedisConnection): Promise<void> {
  const appendonly = (await redis.call('CONFIG', 'GET', 'appendonly')) as string[];
  const appendfsync = (await redis.call('CONFIG', 'GET', 'appendfsync')) as string[];
  if (appendonly[1] !== 'yes' || appendfsync[1] !== 'always') {
    throw new RedisFailure('fatal', `it has appendonly ${String(appendonly[1])} and appendfsync ${String(appendfsync[1])}.`, undefined);
  }
}

function unsupported(cause: RedisFailure): MillraceError {
  return new MillraceError(
    'REDIS_UNSUPPORTED',
    `The message was not stored: this Redis cannot confirm durability fsynced(): ${cause.message} Use Redis 7.2 or newer with appendonly yes; or ` +
      'appendonly yes with appendfsync always, and let the user of this connection read both by CONFIG GET; or another durability.',
    { cause },
  );
}
