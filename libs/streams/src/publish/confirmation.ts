import { IndefinitePublishError, MillraceError, type Replicated } from '@millrace/core';
import { type RedisConnection, RedisFailure, redisFailure, type ServerFacts } from '@millrace/redis';

/** The durability that a stored batch must reach before its publishes resolve. */
export interface Confirmation {
  /**
   * Resolves when the server is able to confirm; no message is sent before.
   * @throws MillraceError REDIS_UNSUPPORTED
   */
  check(redis: RedisConnection): Promise<void>;
  /**
   * Confirms all messages that were sent on this connection so far.
   * @throws IndefinitePublishError not confirmed: the messages are stored all the same
   */
  ask(redis: RedisConnection): Promise<void>;
}

const REPEAT = 'Publish it again with the same idempotency key: that stores nothing new, and asks again; without one it may be stored twice.';

/** A given number of replicas have the message. */
export class ReplicaConfirmation implements Confirmation {
  readonly #wanted: Replicated;

  constructor(wanted: Replicated) {
    this.#wanted = wanted;
  }

  async check(): Promise<void> {
    // Every Redis can count its replicas, and those that are there now may be gone a moment later.
  }

  async ask(redis: RedisConnection): Promise<void> {
    const { replicas, timeoutMs } = this.#wanted;
    const confirmed = Number(await asked(redis, 'WAIT', [replicas, timeoutMs]));
    if (confirmed >= replicas) return;
    throw new IndefinitePublishError(
      `${confirmed} of ${replicas} replicas confirmed the message within ${timeoutMs} ms. It is stored on the primary, and lost if that ` +
        `fails before they have it. ${REPEAT}`,
    );
  }
}

/** The server has written the message to its disk: by WAITAOF where it can be asked so, else by its configuration. */
export class FsyncConfirmation implements Confirmation {
  readonly #timeoutMs: number;
  readonly #canBeAsked: boolean;
  /** The epoch of the connection that was checked: after a failover another server answers. */
  #checkedAt: number | null = null;

  constructor(timeoutMs: number, server: Pick<ServerFacts, 'capabilities'>) {
    this.#timeoutMs = timeoutMs;
    this.#canBeAsked = server.capabilities.has('waitaof');
  }

  async check(redis: RedisConnection): Promise<void> {
    const { connectionEpoch } = redis;
    if (this.#checkedAt === connectionEpoch) return;
    try {
      if (this.#canBeAsked) await redis.call('WAITAOF', 1, 0, 1);
      else await assertAlwaysSynced(redis);
    } catch (thrown) {
      const failure = redisFailure(thrown, 'fsynced');
      if (failure.kind === 'fatal' || failure.kind === 'unknown') throw unsupported(failure);
      throw thrown;
    }
    this.#checkedAt = connectionEpoch;
  }

  async ask(redis: RedisConnection): Promise<void> {
    // With `appendfsync always` Redis answers the script only when its effects are on the disk.
    if (!this.#canBeAsked) return;
    const [onDisk] = (await asked(redis, 'WAITAOF', [1, 0, this.#timeoutMs])) as [number];
    if (onDisk >= 1) return;
    throw new IndefinitePublishError(
      `Redis did not write the message to its disk within ${this.#timeoutMs} ms. It is stored in its memory, and lost if it crashes now. ${REPEAT}`,
    );
  }
}

/** A failure here comes after the batch was stored: a transient one has it sent again, a permanent one is indefinite. */
async function asked(redis: RedisConnection, command: string, args: readonly number[]): Promise<unknown> {
  try {
    return await redis.call(command, ...args);
  } catch (thrown) {
    const failure = redisFailure(thrown, command);
    if (failure.kind !== 'fatal' && failure.kind !== 'unknown') throw new RedisFailure('indeterminate', failure.message, failure);
    throw new IndefinitePublishError(`The message is stored, but Redis refused to confirm its durability: ${failure.message} ${REPEAT}`, failure);
  }
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
