import type { Publisher } from '@millrace/core';
import type { DeadLetters, Groups, Inspector, Orders, Topics } from '@millrace/streams';
import type { SubscriptionState } from '../subscribe/subscriptions.js';

/** The tools of operators, and the publisher, on the connections of a server or a client: what `unwrap()` gives. */
export interface MillraceUnwrapped {
  readonly publisher: Publisher;
  readonly inspector: Inspector;
  readonly deadLetters: DeadLetters;
  readonly groups: Groups;
  readonly orders: Orders;
  readonly topics: Topics;
  /**
   * The state of each topic and group of a server's event handlers, with those topics that wildcards found and that cannot be
   * served; empty for a client.
   */
  readonly subscriptions: () => readonly SubscriptionState[];
}
