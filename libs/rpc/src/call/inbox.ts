import { emit, errorRecord } from '@millrace/core';
import { COMMAND_TIMEOUT_MS, loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { inboxKey } from '../keys.js';
import type { AnswerFrame } from '../wire/answer-frame.js';
import type { StreamFrame } from '../wire/stream-frame.js';
import type { CallerCounters } from './caller-counters.js';
import { InboxReader } from './inbox-reader.js';

const keepInbox = loadScript('../scripts/keep-inbox.lua', import.meta.url);

/** How long the inbox of a process that died is kept. */
const KEEP_MS = 86_400_000;
/** How often it is looked after while there are calls. */
const EVERY_MS = 1_000;

export interface InboxParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly member: string;
  readonly counters: CallerCounters;
  readonly onAnswer: (frame: AnswerFrame, value: string) => void;
  readonly onStream: (frame: StreamFrame, value: string) => void;
  /** The inbox was gone, with what was in it. */
  readonly onLost: () => void;
}

/** The stream of the answers to the calls of this process. */
export class Inbox {
  readonly member: string;
  readonly #key: string;
  readonly #redis: RedisConnection;
  readonly #counters: CallerCounters;
  readonly #reader: InboxReader;
  readonly #onLost: () => void;
  #keptAtMs = Number.NEGATIVE_INFINITY;
  #isKeeping = false;

  private constructor({ redis, prefix, member, counters, ...parts }: InboxParts) {
    this.member = member;
    this.#key = inboxKey(prefix, member);
    this.#redis = redis.publishFor(this.#key);
    this.#counters = counters;
    this.#reader = new InboxReader({ ...parts, redis, key: this.#key, counters });
    this.#onLost = parts.onLost;
  }

  /** @throws RedisFailure */
  static async open(parts: InboxParts): Promise<Inbox> {
    const inbox = new Inbox(parts);
    await inbox.#keep();
    inbox.#reader.start();
    return inbox;
  }

  /** Whether it has entries that were read and not dropped. */
  get isTidy(): boolean {
    return !this.#reader.hasRead;
  }

  /**
   * Looks after the inbox about once a second: call it while there are calls, before a request is sent. It costs nothing
   * while there are none.
   */
  use(): void {
    if (this.#isKeeping || performance.now() - this.#keptAtMs < EVERY_MS) return;
    this.#keep().catch((error: unknown) => emit('loop-failed', { loop: 'rpc-inbox', error: errorRecord(error), failures: 1 }));
  }

  /** Ends the reads and removes the inbox. */
  async close(): Promise<void> {
    await this.#reader.stop();
    await this.#redis.call('DEL', this.#key);
  }

  async #keep(): Promise<void> {
    const isFirst = this.#keptAtMs === Number.NEGATIVE_INFINITY;
    this.#isKeeping = true;
    this.#keptAtMs = performance.now();
    try {
      if (isFirst) await this.#redis.whenReady(COMMAND_TIMEOUT_MS);
      const upTo = this.#reader.takeLastId();
      const made = await this.#redis.run(keepInbox, [this.#key], [upTo, KEEP_MS]);
      this.#reader.dropped(upTo);
      if (made === 1 && !isFirst) this.#madeAgain();
    } finally {
      this.#isKeeping = false;
    }
  }

  #madeAgain(): void {
    this.#counters.inboxesMade += 1;
    this.#reader.restart();
    this.#onLost();
    emit('recreated', { why: `the inbox ${this.#key} was gone from Redis, with the answers in it` });
  }
}
