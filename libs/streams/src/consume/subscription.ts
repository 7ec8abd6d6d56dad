import {
  emit, errorRecord, Loop, type Subscription, type SubscriptionDefinition, type SubscriptionLoad, type TopicDefinition,
} from '@millrace/core';
import { settlesWithin } from '@millrace/redis';
import type { Occasion } from '../log/topic-log.js';
import { OrderedMember } from '../ordered/ordered-member.js';
import type { Handling } from './handling.js';
import type { Member, MemberParts } from './member.js';
import type { PausedBy } from './pause-control.js';
import { RunningMember } from './running-member.js';
import { SharedMember } from './shared-member.js';

export interface SubscriptionParts extends Omit<MemberParts, 'member' | 'onRaised'> {
  /** Aborts when the process stops. */
  readonly closing: AbortSignal;
  /** Called when the subscription was stopped and nothing of it runs any more. */
  readonly onStopped: () => void;
}

/** Timers end at 2^31 ms. */
const NO_DEADLINE_MS = 2 ** 31 - 1;
/** How long a member that is about to join may take for it when the process stops. */
const JOIN_MS = 500;

/**
 * The life of a subscription: it starts, is paused and resumed, and stops. Its member is replaced by one that looks after more
 * partitions when the topic was given more.
 */
export class StreamSubscription implements Subscription {
  readonly #parts: SubscriptionParts;
  readonly #definition: SubscriptionDefinition;
  readonly #handling: Handling;
  readonly #growth: Loop;
  #running!: RunningMember;
  #isPaused = false;
  /** Whether the topic is known to have more partitions than the member looks after. */
  #isOutgrown = false;
  #growthProblem: string | null = null;
  #stopping: Promise<void> | null = null;

  private constructor(parts: SubscriptionParts, definition: SubscriptionDefinition, handling: Handling) {
    this.#parts = parts;
    this.#definition = definition;
    this.#handling = handling;
    this.#growth = new Loop({
      name: 'grow',
      round: (signal) => this.#grow(signal),
      onError: (error, failures) => this.#growthFailed(error, failures),
    });
  }

  /** Makes the topic and the group where there are none, joins, and begins to fetch. */
  static async start(
    parts: SubscriptionParts,
    definition: SubscriptionDefinition,
    handling: Handling,
  ): Promise<StreamSubscription> {
    const topic = await parts.log.declare(definition.topic);
    const subscription = new StreamSubscription(parts, definition, handling);
    await subscription.#enter(topic, 'boot', AbortSignal.any([parts.closing, ...(definition.signal ? [definition.signal] : [])]));
    subscription.#growth.start();
    return subscription;
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#member.pauses.pause('process');
    await this.#member.pauses.drain();
  }

  resume(): void {
    this.#isPaused = false;
    this.#member.lookAtAll();
    this.#member.pauses.resume('process');
  }

  get pausedBy(): readonly PausedBy[] {
    return this.#member.pauses.pausedBy;
  }

  /** Whether it hears rings alone: see {@link Member.isIdle}. */
  get isIdle(): boolean {
    return this.#member.isIdle;
  }

  load(): SubscriptionLoad {
    return this.#member.load(this.#definition.concurrency);
  }

  problem(): string | null {
    return this.#growthProblem ?? this.#member.problem();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  get #member(): Member {
    return this.#running.member;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const stopBy = performance.now() + deadlineMs;
    const grown = this.#growth.stop();
    const running = this.#running;
    await running.end(deadlineMs);
    await settlesWithin(grown, JOIN_MS);
    if (this.#running !== running) await this.#running.end(Math.max(0, stopBy - performance.now()));
    this.#parts.onStopped();
  }

  async #enter(topic: TopicDefinition, occasion: Occasion, signal: AbortSignal): Promise<void> {
    const { presence } = this.#parts;
    const name = await presence.join();
    // Partitions that came by a raise are read from their beginning: the group was there before them.
    const start = occasion === 'boot' ? this.#definition.start : 'earliest';
    const definition = { ...this.#definition, topic, start, signal };
    const member = memberOf({ ...this.#parts, member: name, onRaised: () => this.#outgrown() }, definition, this.#handling);
    const running = new RunningMember(presence, name, member);
    try {
      if (this.#isPaused) await member.pauses.pause('process');
      await member.join(definition, occasion);
    } catch (error) {
      await running.part();
      throw error;
    }
    this.#running = running;
    if (this.#isPaused === member.pauses.pausedBy.includes('process')) return;
    if (this.#isPaused) await member.pauses.pause('process');
    else member.pauses.resume('process');
  }

  #outgrown(): void {
    this.#isOutgrown = true;
    this.#growth.wake();
  }

  /** The present member ends first, so that no more messages are handled at once than usual. */
  async #grow(signal: AbortSignal): Promise<number> {
    if (!this.#isOutgrown) return NO_DEADLINE_MS;
    const topic = await this.#parts.log.learn(this.#definition.topic);
    await this.#running.end(NO_DEADLINE_MS);
    if (signal.aborted) return 0;
    this.#isOutgrown = false;
    await this.#enter(topic, 'recovery', signal).catch((error: unknown) => {
      this.#isOutgrown = true;
      throw error;
    });
    this.#growthProblem = null;
    return 0;
  }

  #growthFailed(error: Error, failures: number): void {
    const { topic, group } = this.#definition;
    this.#growthProblem = error.message;
    emit('loop-failed', { topic: topic.name, group, loop: 'grow', error: errorRecord(error), failures });
  }
}

function memberOf(parts: MemberParts, { ordering, ...definition }: SubscriptionDefinition, handling: Handling): Member {
  if (!ordering) return new SharedMember(parts, definition, handling);
  return new OrderedMember(parts, { ...definition, ordering }, handling);
}
