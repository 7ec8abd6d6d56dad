import type { PublishResult } from '@millrace/core';
import { QueuedMessage, type QueuedMessageParts } from './queued-message.js';

type Outcome = PublishResult | Error;

/** The outcomes of messages that are published together: one promise for all of them. */
export class Outcomes {
  readonly all: Promise<readonly Outcome[]>;
  readonly #outcomes: Outcome[];
  #open: number;
  #done!: (outcomes: readonly Outcome[]) => void;

  constructor(count: number) {
    this.#outcomes = new Array<Outcome>(count);
    this.#open = count;
    this.all = new Promise((resolve) => (this.#done = resolve));
    if (count === 0) this.#done([]);
  }

  /** Called once for each index. */
  set(index: number, outcome: Outcome): void {
    this.#outcomes[index] = outcome;
    this.#open -= 1;
    if (this.#open === 0) this.#done(this.#outcomes);
  }
}

/** The index of one message among those that are published together. */
export interface PlaceAmongMany {
  readonly outcomes: Outcomes;
  readonly index: number;
}

/** One of several messages that are published together. */
export class MessageOfMany extends QueuedMessage {
  readonly #outcomes: Outcomes;
  readonly #index: number;

  constructor(parts: QueuedMessageParts, { outcomes, index }: PlaceAmongMany) {
    super(parts);
    this.#outcomes = outcomes;
    this.#index = index;
  }

  protected override resolved(result: PublishResult): void {
    this.#outcomes.set(this.#index, result);
  }

  protected override rejected(error: Error): void {
    this.#outcomes.set(this.#index, error);
  }
}
