import type { Answer } from './answer.js';
import type { QueuedMessage } from './queued-message.js';

/** A batch that was sent: on its way -> answered -> settled, or its messages are sent again in other batches. */
export class SentBatch {
  readonly number: number;
  readonly items: readonly QueuedMessage[];
  /** The last number that was confirmed when it was sent: if Redis has a lower one, it has lost batches. */
  readonly confirmed: number;
  /** Resolves when `answer` is there. */
  readonly answered: Promise<void>;
  answer: Answer | null = null;

  constructor({ number, items, confirmed }: Pick<SentBatch, 'number' | 'items' | 'confirmed'>, answer: Promise<Answer>) {
    this.number = number;
    this.items = items;
    this.confirmed = confirmed;
    this.answered = answer.then((given) => void (this.answer = given));
  }

  /** The messages that are neither resolved nor rejected. */
  get open(): QueuedMessage[] {
    return this.items.filter(({ isOpen }) => isOpen);
  }
}
