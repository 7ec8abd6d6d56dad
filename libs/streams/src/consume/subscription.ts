import type { DeliveryHandler, Subscription, SubscriptionDefinition } from '@millrace/core';
import type { RedisConnection, RedisConnections } from '@millrace/redis';
import { Heartbeat } from '../group/heartbeat.js';
import { partitionsOf, type TopicLog } from '../log/topic-log.js';
import { Promoter } from '../redeliver/promoter.js';
import { Reclaimer } from '../redeliver/reclaimer.js';
import { Dispatcher } from './dispatcher.js';
import { Fetcher } from './fetcher.js';
import { groupPartition } from './group-partition.js';
import { HeldEntries } from './held-entries.js';
import { Intake } from './intake.js';
import { Settler } from './settler.js';

export interface SubscriptionParts {
  readonly redis: RedisConnections;
  readonly prefix: string;
  /** Unique per process start, never reused. */
  readonly member: string;
  readonly leaseMs: number;
  readonly log: TopicLog;
}

/** One member of one group on one topic: the parts that fetch, handle, settle, renew, retry and take over, put together. */
export class StreamSubscription implements Subscription {
  readonly #reader: RedisConnection;
  readonly #held = new HeldEntries();
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly #heartbeat: Heartbeat;
  readonly #promoter: Promoter;
  readonly #fetcher: Fetcher;
  #stopping: Promise<void> | null = null;

  private constructor(parts: SubscriptionParts, definition: SubscriptionDefinition, handler: DeliveryHandler) {
    const { prefix, member, leaseMs, log } = parts;
    const { publish: redis, control } = parts.redis;
    const { topic, group, concurrency, crashLimit } = definition;
    const held = this.#held;
    const partitions = partitionsOf(topic).map((partition) => groupPartition(prefix, { topic: topic.name, partition }, group));
    this.#reader = parts.redis.blocking(`read:${group}`);
    this.#settler = new Settler({ redis, prefix, member, held });
    this.#heartbeat = new Heartbeat({ redis: control, member, leaseMs, partitions, held, log });
    this.#promoter = new Promoter({ redis: control, partitions, log });
    const retryScheduled = (): void => this.#promoter.wake();
    this.#dispatcher = new Dispatcher({ handler, settler: this.#settler, concurrency, crashLimit, retryScheduled });
    const dispatcher = this.#dispatcher;
    const intake = new Intake({ redis: control, prefix, held, dispatcher });
    const reclaimer = new Reclaimer({ redis: control, member, leaseMs, partitions, held, dispatcher, intake });
    this.#fetcher = new Fetcher({ reader: this.#reader, control, member, partitions, log, dispatcher, reclaimer, intake });
  }

  /** Makes the group where it is not there, joins it, and begins to fetch. */
  static async start(parts: SubscriptionParts, definition: SubscriptionDefinition, handler: DeliveryHandler): Promise<StreamSubscription> {
    const { topic, group } = definition;
    await parts.log.declare(topic);
    await Promise.all(partitionsOf(topic).map((partition) => parts.log.declareGroup({ topic: topic.name, partition }, group)));
    const subscription = new StreamSubscription(parts, definition, handler);
    await subscription.#heartbeat.beat();
    subscription.#heartbeat.start();
    subscription.#promoter.start();
    subscription.#fetcher.start();
    return subscription;
  }

  problem(): string | null {
    return this.#fetcher.problem();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /**
   * The order matters: no handler starts from now on; then no read is under way, so that nothing arrives unseen; what
   * waited goes back to the group; what runs may finish while its lease is still renewed; the goodbye comes last.
   */
  async #stop(deadlineMs: number): Promise<void> {
    const deadline = new Promise<'late'>((resolve) => {
      setTimeout(() => resolve('late'), deadlineMs).unref();
    });
    this.#dispatcher.pause();
    await Promise.race([this.#fetcher.stop(), deadline]);
    await this.#promoter.stop();
    const finished = Promise.all([this.#dispatcher.release(this.#dispatcher.takeWaiting()), this.#dispatcher.drain()]);
    if ((await Promise.race([finished, deadline])) === 'late') {
      this.#held.giveUpAll('the process is shutting down and its time is up');
      this.#settler.abandon();
    }
    await this.#heartbeat.stop();
    await this.#heartbeat.leave().catch(() => 0);
    this.#reader.close();
  }
}
