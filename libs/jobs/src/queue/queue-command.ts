import { setTimeout as pause } from 'node:timers/promises';
import { IndefinitePublishError, MillraceError } from '@millrace/core';
import { RedisFailure, redisFailure, type RedisFailureKind, withDeadline } from '@millrace/redis';
import type { Queue } from 'bullmq';
import { connectionFailure } from '../connection/connection-failure.js';
import { lastErrorOf } from './watch-queue.js';

/** How long a call waits for Redis, all its tries together. */
export const QUEUE_TIMEOUT_MS = 5_000;
const PAUSE_MS = 100;
const MENDS_ITSELF: ReadonlySet<RedisFailureKind> = new Set(['unsent', 'indeterminate', 'unavailable']);

/** BullMQ gives its client by a promise only; asking for it each time, with a deadline, was a fifth of an enqueue. */
const clients = new WeakMap<Queue, { readonly status: string }>();

export interface QueueCommand<T> {
  readonly queue: Queue;
  /** The call, for the error: `enqueue(SendConfirmation)`. */
  readonly where: string;
  /** A command that was sent and not answered may have stored something. */
  readonly writes: boolean;
  /** Sends the command. It is called again after a passing failure, so a repetition must be harmless unless {@link isOnce}. */
  readonly run: () => Promise<T>;
  /** A command that may have been executed is not sent again. Default false. */
  readonly isOnce?: boolean;
}

/**
 * Runs a command of a queue: waits for a connection, tries again while Redis is away, and gives up after 5 seconds.
 * BullMQ itself would wait for the first connection for ever.
 *
 * @throws IndefinitePublishError a write was sent and not answered
 * @throws MillraceError REDIS_UNREACHABLE (nothing was sent), BACK_PRESSURE, REDIS_FAILED, CLOSED
 */
export async function runCommand<T>(command: QueueCommand<T>): Promise<T> {
  const until = performance.now() + QUEUE_TIMEOUT_MS;
  let unanswered = false;
  for (;;) {
    const outcome = await tryOnce(command, until);
    if ('value' in outcome) return outcome.value;
    const { failure } = outcome;
    unanswered ||= failure.kind === 'indeterminate';
    const isOver = unanswered && command.isOnce === true;
    if (!isOver && MENDS_ITSELF.has(failure.kind) && performance.now() + PAUSE_MS < until) await pause(PAUSE_MS);
    else if (unanswered && command.writes) throw indefinite(command.where, failure);
    else throw failure;
  }
}

async function tryOnce<T>(command: QueueCommand<T>, until: number): Promise<{ value: T } | { failure: RedisFailure }> {
  const { queue, where } = command;
  if (queue.closing) throw new MillraceError('CLOSED', `${where}: the queue '${queue.name}' is closed; the application shuts down.`);
  try {
    await untilReady(command, until);
    return { value: await withDeadline(command.run(), until - performance.now(), () => unansweredCommand(where)) };
  } catch (thrown) {
    return { failure: redisFailure(thrown, where) };
  }
}

async function untilReady<T>({ queue, where }: QueueCommand<T>, until: number): Promise<void> {
  if (clients.get(queue)?.status === 'ready') return;
  const late = (): Error => unreachable(queue, where);
  const client = await withDeadline(queue.getBackend().client, until - performance.now(), late);
  clients.set(queue, client);
  if (client.status === 'ready') return;
  await withDeadline(nextReady(client), until - performance.now(), late);
}

/** One listener for all calls that wait: Node takes many for a leak, and warns. */
const awaited = new WeakMap<object, Promise<void>>();

function nextReady(client: { once(event: 'ready', heard: () => void): unknown }): Promise<void> {
  const known = awaited.get(client);
  if (known) return known;
  const ready = new Promise<void>((resolve) => void client.once('ready', resolve)).then(() => void awaited.delete(client));
  awaited.set(client, ready);
  return ready;
}

function unreachable(queue: Queue, where: string): RedisFailure {
  return connectionFailure({
    whose: `${where}: the queue '${queue.name}'`,
    absent: `found no Redis for ${QUEUE_TIMEOUT_MS / 1000} s, so nothing was sent`,
    advice: 'Try again when it is back.',
    reason: lastErrorOf(queue),
  });
}

function unansweredCommand(where: string): RedisFailure {
  return new RedisFailure('indeterminate', `${where}: Redis took the command and did not answer in time.`, undefined);
}

function indefinite(where: string, cause: RedisFailure): IndefinitePublishError {
  return new IndefinitePublishError(
    `${where}: Redis did not answer for ${QUEUE_TIMEOUT_MS / 1000} s, so the job may or may not be stored. ` +
      'Enqueue it again with the same idempotency key; without one it may then be stored twice.',
    cause,
  );
}
