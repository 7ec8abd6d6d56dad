import { emit, errorRecord } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { grantChannel } from '../keys.js';
import { type Grant, grantText } from '../wire/stream-frame.js';

export interface GrantParts {
  readonly redis: Topology;
  readonly prefix: string;
}

/** Tells instances how many items they may send. Those of one tick go together; one that is lost is repeated by its owner. */
export class GrantSender {
  readonly #parts: GrantParts;
  readonly #sending = new Set<Promise<void>>();
  /** By the member name of the instance. */
  #waiting = new Map<string, string[]>();

  constructor(parts: GrantParts) {
    this.#parts = parts;
  }

  add(member: string, grant: Grant): void {
    if (this.#waiting.size === 0) process.nextTick(() => this.#flush());
    const lines = this.#waiting.get(member);
    if (lines) lines.push(grantText(grant));
    else this.#waiting.set(member, [grantText(grant)]);
  }

  async flushed(): Promise<void> {
    this.#flush();
    await Promise.all(this.#sending);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [member, lines] of waiting) {
      const sending = this.#send(grantChannel(this.#parts.prefix, member), lines.join('\n')).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  async #send(channel: string, text: string): Promise<void> {
    try {
      await this.#parts.redis.publishFor(channel).call('SPUBLISH', channel, text);
    } catch (error) {
      emit('loop-failed', { loop: 'rpc-grants', error: errorRecord(error), failures: 1 });
    }
  }
}
