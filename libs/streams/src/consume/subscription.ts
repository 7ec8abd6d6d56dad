import { MillraceError, type Subscription, type SubscriptionDefinition } from '@millrace/core';
import { settlesWithin } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import type { Handling } from './handling.js';
import { OrderedMember } from '../ordered/ordered-member.js';
import type { Member, MemberParts } from './member.js';
import type { PausedBy } from './pause-control.js';
import { SharedMember } from './shared-member.js';

export interface SubscriptionParts extends Omit<MemberParts, 'member'> {
  /** Called when the subscription was stopped and nothing of it runs any more. */
  readonly onStopped: () => void;
}

/** How long it may take to put back the messages that handlers had at the deadline. */
const PUT_BACK_MS = 2_000;
/** How long the end of the loops and the goodbye may take: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** The life of one member of a group: it starts, is paused and resumed, and stops. */
export class StreamSubscription implements Subscription {
  readonly #parts: SubscriptionParts;
  readonly #name: string;
  readonly #member: Member;
  #stopping: Promise<void> | null = null;

  private constructor(parts: SubscriptionParts, name: string, member: Member) {
    this.#parts = parts;
    this.#name = name;
    this.#member = member;
  }

  /** Makes the topic and the group where there are none, joins, and begins to fetch. */
  static async start(
    parts: SubscriptionParts,
    definition: SubscriptionDefinition,
    handling: Handling,
  ): Promise<StreamSubscription> {
    await parts.log.declare(definition.topic);
    const name = await parts.presence.join();
    const member = memberOf({ ...parts, member: name }, definition, handling);
    try {
      await member.join(definition);
      return new StreamSubscription(parts, name, member);
    } catch (error) {
      await settlesWithin(goodbye(parts.presence, name, member), GOODBYE_MS);
      member.fetcher.abandon();
      throw error;
    }
  }

  async pause(): Promise<void> {
    await this.#member.pauses.pause('process');
    await this.#member.pauses.drain();
  }

  resume(): void {
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

  problem(): string | null {
    return this.#member.problem();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  /**
   * The order matters. No handler starts from now on. Then the reads end, so that nothing arrives unseen, and waiting messages go
   * back to the group. Handlers may finish while this process still says that it lives; their messages go back at the deadline.
   * The goodbye comes last.
   */
  async #stop(deadlineMs: number): Promise<void> {
    this.#parts.presence.stopping(this.#name);
    const finishing = Promise.all([this.#member.finish(deadlineMs), this.#finish()]);
    if (!(await settlesWithin(finishing, deadlineMs))) {
      this.#giveUp();
      if (!(await settlesWithin(finishing, PUT_BACK_MS))) this.#member.settler.abandon();
    }
    await settlesWithin(goodbye(this.#parts.presence, this.#name, this.#member), GOODBYE_MS);
    this.#member.fetcher.abandon();
    this.#parts.onStopped();
  }

  async #finish(): Promise<void> {
    const { pauses, fetcher } = this.#member;
    await Promise.all([pauses.pause('stop'), fetcher.stop()]);
    await pauses.drain();
  }

  /** Gives the messages up before the signals abort, so that an outcome that follows from an abort comes too late. */
  #giveUp(): void {
    const { dispatcher, deadLetters, held, place } = this.#member;
    dispatcher.giveUp();
    deadLetters.hook?.giveUp();
    held.giveUpAll(stopped(place.topic, place.group));
  }
}

function memberOf(parts: MemberParts, { ordering, ...definition }: SubscriptionDefinition, handling: Handling): Member {
  if (!ordering) return new SharedMember(parts, definition, handling);
  return new OrderedMember(parts, { ...definition, ordering }, handling);
}

/** From now on nobody waits for the member, and others look after its entries. */
async function goodbye(presence: Presence, name: string, member: Member): Promise<void> {
  const hasLeft = await member.leave();
  if (hasLeft) presence.departed(name);
  // Without this word the others find out when the process is gone.
  else await presence.left(name).catch(() => undefined);
}

function stopped(topic: string, group: string): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' is being stopped in this process and its time is up: the message of topic '${topic}' goes back to the group, and ` +
      'nothing that follows counts. Stop.',
  );
}
