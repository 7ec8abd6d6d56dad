import { emit, errorRecord } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import { SERVERS } from '../keys.js';
import { boundedBatches } from '../wire/bounded-batches.js';
import { HANDLE_CORRELATION } from './outgoing-call.js';
import type { PendingCall } from './pending-call.js';

const withdraw = loadScript('../scripts/withdraw.lua', import.meta.url);

export interface WithdrawParts {
  readonly redis: RedisConnection;
  readonly key: string;
  readonly channel: string;
  /** The member name of the inbox. */
  readonly inbox: string;
}

/** Withdraws requests whose callers wait no longer, and tells the instances that have begun them. It is tried once. */
export class RequestWithdrawer {
  readonly #parts: WithdrawParts;
  readonly #withdrawing = new Set<Promise<void>>();
  #waiting: PendingCall[] = [];

  constructor(parts: WithdrawParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#withdrawing.size === 0;
  }

  /** The entry of the request must be known. */
  add(call: PendingCall): void {
    if (this.#waiting.length === 0) process.nextTick(() => this.#flush());
    this.#waiting.push(call);
  }

  async flushed(): Promise<void> {
    this.#flush();
    await Promise.all(this.#withdrawing);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    for (const batch of boundedBatches(waiting, () => 0)) {
      const withdrawing = this.#withdraw(batch).finally(() => this.#withdrawing.delete(withdrawing));
      this.#withdrawing.add(withdrawing);
    }
  }

  async #withdraw(batch: readonly PendingCall[]): Promise<void> {
    const { redis, key, channel, inbox } = this.#parts;
    const args = [SERVERS, channel, ...batch.flatMap((call) => [call.entryId!, requestName(call, inbox)])];
    try {
      await redis.run(withdraw, [key], args);
    } catch (error) {
      // The deadline of the request stands behind it.
      emit('loop-failed', { loop: 'rpc-withdraw', error: errorRecord(error), failures: 1 });
    }
  }
}

function requestName({ correlation, options: { later } }: PendingCall, inbox: string): string {
  return later === undefined ? `${inbox} ${correlation}` : `${later.inbox} ${HANDLE_CORRELATION}`;
}
