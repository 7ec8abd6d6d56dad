/** How busy a subscription of this process is at a moment. */
export interface SubscriptionLoad {
  readonly topic: string;
  readonly group: string;
  /** Calls of the handler that are under way, each with a message or a batch. */
  readonly inFlight: number;
  /** The most of them at once. */
  readonly limit: number;
  /**
   * When it last looked for messages and nothing was wrong, in Unix milliseconds; 0 before the first look. It is the present
   * while it has no reason to look: as it is paused, all its handlers are at work, or it waits for a permit of its rate limit.
   */
  readonly polledAtMs: number;
}

const present = new Set<() => SubscriptionLoad>();

/** Lets observers of this process see how busy a subscription is, whenever they look. @returns a function that ends that */
export function showLoad(load: () => SubscriptionLoad): () => void {
  present.add(load);
  return () => void present.delete(load);
}

/** How busy the subscriptions of this process are now. A broadcast may be there several times. */
export function presentLoads(): SubscriptionLoad[] {
  return [...present].map((load) => load());
}
