import { Injectable } from '@nestjs/common';
import { knownHint, MillraceError, quote, type Subscription, topicOfRef, type TopicRef } from '@millrace/core';
import { type SubscriptionState, Subscriptions } from './subscriptions.js';

/** The subscriptions of this process: its methods do not touch other processes of the same groups. */
@Injectable()
export class LocalSubscriptions {
  readonly #subscriptions: Subscriptions;

  constructor(subscriptions: Subscriptions) {
    this.#subscriptions = subscriptions;
  }

  states(): SubscriptionState[] {
    return this.#subscriptions.states();
  }

  /**
   * Starts no handler of this group here from now on; resolves when those at work have finished and the rest has gone back
   * to the group. To hold every process, use `Groups.pause`.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async pause(topic: TopicRef, group: string): Promise<void> {
    await this.#find(topic, group).pause();
  }

  /** @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP */
  resume(topic: TopicRef, group: string): void {
    this.#find(topic, group).resume();
  }

  #find(topic: TopicRef, group: string): Subscription {
    const { name } = topicOfRef(topic);
    const found = this.#subscriptions.find(name, group);
    if (found) return found;
    const known = this.states().filter(({ topic: one }) => one === name).map(({ group: one }) => one);
    const hint = knownHint(group, known);
    throw new MillraceError('UNKNOWN_GROUP', `This process has no subscription of group ${quote(group)} to topic '${name}'${hint}`);
  }
}
