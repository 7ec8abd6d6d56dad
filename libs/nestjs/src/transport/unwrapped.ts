import type { Publisher } from '@millrace/core';
import type { DeadLetters, Groups, Inspector, Orders, Topics } from '@millrace/streams';

/** The tools of operators, and the publisher, on the connections of a server or a client: what `unwrap()` gives. */
export interface MillraceUnwrapped {
  readonly publisher: Publisher;
  readonly inspector: Inspector;
  readonly deadLetters: DeadLetters;
  readonly groups: Groups;
  readonly orders: Orders;
  readonly topics: Topics;
}
