import { isMillraceError, MillraceError, type Subscription, type SubscriptionDefinition } from '@millrace/core';
import { type RedisConnections, settlesWithin } from '@millrace/redis';
import { GroupWatch } from '../group/group-watch.js';
import { Membership } from '../group/membership.js';
import type { Presence } from '../group/presence.js';
import { Tender } from '../group/tender.js';
import { Auditor } from '../inspect/auditor.js';
import { rateKey } from '../keys.js';
import { partitionsOf, type TopicLog } from '../log/topic-log.js';
import { Fetcher } from '../read/fetcher.js';
import { ReadWay } from '../read/read-way.js';
import type { ReaderPool } from '../read/reader-pool.js';
import { RingWait } from '../read/ring-wait.js';
import type { Rings } from '../ring/rings.js';
import { DeadLetterDuties } from './dead-letter-duties.js';
import type { DeliveryOwner } from './delivery-owner.js';
import { Dispatcher } from './dispatcher.js';
import { Flow, type Stopper } from './flow.js';
import { type GroupPartition, groupPartition } from './group-partition.js';
import type { Handling } from './handling.js';
import { HeldEntries } from './held-entries.js';
import { Holdings } from './holdings.js';
import { Intake } from './intake.js';
import type { LoneSlot } from './lone-slot.js';
import type { PendingDelivery } from './pending-delivery.js';
import { RateLimiter } from './rate-limiter.js';
import { Settler } from './settler.js';

export interface SubscriptionParts {
  readonly redis: RedisConnections;
  readonly prefix: string;
  readonly presence: Presence;
  readonly rings: Rings;
  readonly readers: ReaderPool;
  readonly loneSlot: LoneSlot;
  readonly stuckAfterMs: number;
  readonly log: TopicLog;
  /** Called when it was stopped and nothing of it runs any more. */
  readonly onStopped: () => void;
}

type MemberParts = SubscriptionParts & { readonly member: string };

/** How long it may take to put back what handlers were at work on at the deadline. */
const PUT_BACK_MS = 2_000;
/** What ending its loops and saying goodbye may take: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** One member of one group on one topic: the parts that fetch, handle, settle, retry and put back, put together. */
export class StreamSubscription implements Subscription, DeliveryOwner {
  readonly #partitions: readonly GroupPartition[];
  readonly #presence: Presence;
  readonly #member: string;
  readonly #holdings: Holdings;
  readonly #held: HeldEntries;
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly #tender: Tender;
  readonly #rings: RingWait;
  readonly #fetcher: Fetcher;
  readonly #deadLetters: DeadLetterDuties;
  readonly #flow: Flow;
  readonly #watch: GroupWatch;
  readonly #auditor: Auditor;
  readonly #intake: Intake;
  readonly #log: TopicLog;
  readonly #onStopped: () => void;
  #stopping: Promise<void> | null = null;

  /** The group may be given again what it has settled in this partition. */
  readonly #replay = (partition: GroupPartition): void => this.#intake.replay(partition);

  /** Makes again what Redis has lost of a partition. What was held of it is gone; for good when the group was removed. */
  readonly #recover = async (partition: GroupPartition): Promise<void> => {
    this.#replay(partition);
    try {
      await this.#log.recover(partition, partition.group);
    } catch (error) {
      if (isMillraceError(error) && error.code === 'REMOVED') this.#removed(partition, error);
      throw error;
    }
    this.#held.doubt();
    this.#rings.lookAtAll();
    this.#tender.wakeToVerify();
  };

  /** Others may have taken this process for dead, put back what it held, and moved the group without it. */
  readonly #returned = (): void => {
    for (const partition of this.#partitions) this.#intake.doubt(partition);
    this.#held.doubt();
  };

  /** Makes sure of what is held, and that whoever pauses the group waits for this member; what waited for that goes on. */
  readonly #verify = async (): Promise<void> => {
    await this.#holdings.join(this.#partitions[0]!);
    await this.#held.verify();
    this.#dispatcher.goOn();
  };

  /** After a while without Redis: nothing is taken for granted, and what came in replies that were lost goes back. */
  readonly #rejoin = async (): Promise<void> => {
    for (const partition of this.#partitions) this.#intake.doubt(partition);
    await this.#verify();
    const streams = this.#partitions.flatMap((partition) => partition.streams);
    for (const stream of streams) await this.#holdings.putBackUnknown(stream, this.#held.idsIn(stream));
  };

  private constructor(parts: MemberParts, definition: SubscriptionDefinition, handling: Handling) {
    const { prefix, member, presence, log } = parts;
    const { publish: redis, control } = parts.redis;
    const { topic, group, rateLimit: limit } = definition;
    const partitions = partitionsOf(topic).map((partition) => groupPartition(prefix, { topic: topic.name, partition }, group));
    this.#partitions = partitions;
    this.#presence = presence;
    this.#member = member;
    this.#log = log;
    this.#onStopped = parts.onStopped;
    const membership = new Membership(member, presence);
    const way = new ReadWay(redis, parts.readers);
    const isIdle = (): boolean => !way.mayBlock && this.#rings.isListening && this.#held.size === 0;
    this.#rings = new RingWait({ rings: parts.rings, partitions, membership, onControl: () => this.#watch.wake() });
    // On the connection that settles: without that nothing can go on, and without the other one all can but the upkeep.
    const holdings = new Holdings({ redis, prefix, member });
    this.#holdings = holdings;
    const held = new HeldEntries({
      holdings,
      losses: () => way.losses,
      isSure: () => presence.isSure,
      onDoubt: () => this.#tender.wakeToVerify(),
      // Whoever lost something may be given again what is settled: others have handled it, or the group was made again.
      onLost: this.#replay,
    });
    this.#held = held;
    const settler = new Settler({ redis, prefix, member, held, replayed: this.#replay });
    this.#settler = settler;
    const dispatcher = new Dispatcher({
      ...definition, handling, holdings, held, settler, owner: this,
      loneSlot: parts.loneSlot, stuckAfterMs: parts.stuckAfterMs,
      rateLimiter: limit && new RateLimiter({ redis, key: rateKey(prefix, topic.name, group), limit }),
    });
    this.#dispatcher = dispatcher;
    this.#intake = new Intake({
      redis, prefix, held, dispatcher, settler,
      learnReplay: (partition) => this.#watch.learnReplay(partition),
      mayHaveMissed: () => !presence.isSure,
    });
    const common = { member, membership, partitions, held, recover: this.#recover };
    const upkeep = { prefix, presence, isIdle, verify: this.#verify, returned: this.#returned };
    this.#tender = new Tender({ connections: [control, redis], ...common, ...upkeep });
    const reading = { way, rings: this.#rings, control, dispatcher, intake: this.#intake, rejoin: this.#rejoin };
    this.#fetcher = new Fetcher({ ...reading, ...common });
    this.#auditor = new Auditor({ redis: control, leaseMs: presence.leaseMs, isIdle, ...common });
    this.#deadLetters = new DeadLetterDuties({ ...parts, partitions }, definition);
    this.#flow = new Flow(dispatcher, this.#fetcher, this.#deadLetters.hook);
    this.#watch = new GroupWatch({
      redis, member, membership, presence, partitions, isIdle,
      pause: () => this.#rest('group'),
      resume: () => this.#resume('group'),
      onMembers: () => this.#tender.wake(), replaying: this.#replay,
    });
  }

  /** Makes the group where it is not there, joins it, and begins to fetch. */
  static async start(
    parts: SubscriptionParts,
    definition: SubscriptionDefinition,
    handling: Handling,
  ): Promise<StreamSubscription> {
    await parts.log.declare(definition.topic);
    const member = await parts.presence.join();
    const subscription = new StreamSubscription({ ...parts, member }, definition, handling);
    try {
      await subscription.#join(parts.log, definition);
      return subscription;
    } catch (error) {
      await subscription.#tender.stop();
      subscription.#fetcher.abandon();
      throw error;
    }
  }

  async #join(log: TopicLog, { topic, group, start }: SubscriptionDefinition): Promise<void> {
    const origins = await log.declareGroups(topic, group, start);
    // A group that was lost while nobody was here to see it is not new: what it settled is still marked.
    this.#partitions.forEach((partition, index) => {
      if (origins[index] === 'remade') this.#intake.replay(partition);
    });
    await this.#deadLetters.hook?.declare();
    await this.#holdings.join(this.#partitions[0]!);
    // A group that is paused is not read from.
    await this.#watch.look();
    await this.#tender.start();
    this.#watch.start();
    this.#auditor.start();
    this.#fetcher.start();
    this.#deadLetters.start();
  }

  replayOf({ entry, offset }: PendingDelivery): number | null {
    return this.#watch.replayOf(entry.stream.partition, offset);
  }

  retryScheduled({ entry }: PendingDelivery): void {
    this.#tender.scheduled(entry.stream.partition);
  }

  deadLettered(): void {
    this.#deadLetters.wake();
  }

  overFetched({ entry }: PendingDelivery): void {
    this.#fetcher.gaveBackTo(entry.stream.partition.streams[1]);
  }

  /** A group that was removed does not come back by itself. */
  #removed(partition: GroupPartition, error: MillraceError): void {
    this.#held.lostOf(partition, error);
    this.#fetcher.lostSight(error.message);
  }

  pause(): Promise<void> {
    return this.#rest('process');
  }

  resume(): void {
    this.#resume('process');
  }

  /** A group that was paused may have been moved. */
  #resume(stopper: Stopper): void {
    this.#rings.lookAtAll();
    this.#flow.release(stopper);
  }

  get heldUpBy(): readonly Stopper[] {
    return this.#flow.heldUpBy;
  }

  async #rest(stopper: Stopper): Promise<void> {
    await this.#flow.hold(stopper);
    await this.#flow.drain();
  }

  problem(): string | null {
    return this.#fetcher.problem() ?? this.#settler.problem() ?? this.#dispatcher.problem() ?? this.#deadLetters.problem();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /**
   * The order matters: no handler starts from now on; then no read is under way, so that nothing arrives unseen; what
   * waited goes back to the group; what runs may finish while this process still says that it lives, and goes back at the
   * deadline; the goodbye comes last.
   */
  async #stop(deadlineMs: number): Promise<void> {
    this.#presence.stopping(this.#member);
    const finishing = this.#finish();
    if (!(await settlesWithin(finishing, deadlineMs))) {
      this.#giveUp();
      if (!(await settlesWithin(finishing, PUT_BACK_MS))) this.#settler.abandon();
    }
    await settlesWithin(this.#goodbye(), GOODBYE_MS);
    this.#fetcher.abandon();
    this.#onStopped();
  }

  async #finish(): Promise<void> {
    await Promise.all([this.#flow.hold('stop'), this.#fetcher.stop()]);
    await this.#flow.drain();
  }

  /** Before the signals abort, so that what handlers say because of them comes too late. */
  #giveUp(): void {
    this.#dispatcher.giveUp();
    this.#deadLetters.hook?.giveUp();
    const { topic, group } = this.#partitions[0]!;
    this.#held.giveUpAll(stopped(topic, group));
  }

  async #goodbye(): Promise<void> {
    await Promise.all([this.#tender.stop(), this.#watch.stop(), this.#auditor.stop()]);
    const leaving = Promise.all([this.#holdings.leave(this.#partitions), this.#deadLetters.leave()]);
    const hasLeft = await leaving.then(([isForgotten]) => isForgotten, () => false);
    // Without it the others find out for themselves, when this process is gone.
    if (!hasLeft) await this.#presence.left(this.#member).catch(() => undefined);
  }
}

function stopped(topic: string, group: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' is being stopped in this process and its time is up: the message of topic '${topic}' goes back to the group, and ` +
      'nothing that follows counts. Stop.',
  );
}
