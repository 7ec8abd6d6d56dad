import type { Publisher } from '@millrace/core';
import type { DeadLetters, Groups, Inspector, Orders, Topics } from '@millrace/streams';
import type { SubscriptionState } from '../subscribe/subscriptions.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** The tools of operators, and the publisher, on the connections of a server or a client: what `unwrap()` gives. */
export interface MillraceUnwrapped {
  readonly publisher: Publisher;
  readonly inspector: Inspector;
  readonly deadLetters: DeadLetters;
  readonly groups: Groups;
  readonly orders: Orders;
  readonly topics: Topics;
  /** The metrics of this process, where the server or the client has the option `metrics`. */
  readonly telemetry: Telemetry;
  /**
   * The state of each topic and group of a server's event handlers, with those topics that wildcards found and that cannot be
   * served; empty for a client.
   */
  readonly subscriptions: () => readonly SubscriptionState[];
}
