import type { TopicDefinition } from '../contract/topic.js';
import type { Outgoing, PublishResult } from '../delivery/ports.js';
import { asError, MillraceError } from '../errors.js';
import { outgoingNow, PreparedMessage } from './prepared-message.js';

type Outcome = PublishResult | Error;
type Send = (topic: TopicDefinition, many: readonly Outgoing[]) => Promise<readonly Outcome[]>;

/** The messages of one topic, and their places among all. */
interface Batch {
  readonly topic: TopicDefinition;
  readonly many: Outgoing[];
  readonly places: number[];
}

/** Prepared messages of any topics: a batch for each topic, in the order of the list, and an outcome for each message. */
export class PreparedBatches {
  readonly #batches = new Map<string, Batch>();
  readonly #outcomes: Outcome[];

  /** @param items a list whose items may be anything */
  constructor(items: readonly unknown[]) {
    this.#outcomes = new Array<Outcome>(items.length);
    // Not `forEach`, which passes over the holes of a list.
    for (let place = 0; place < items.length; place += 1) this.#add(items[place], place);
  }

  /** All batches are sent at once. It never rejects. */
  async sent(send: Send): Promise<readonly Outcome[]> {
    await Promise.all([...this.#batches.values()].map((batch) => this.#send(batch, send)));
    return this.#outcomes;
  }

  #add(item: unknown, place: number): void {
    const parts = PreparedMessage.partsOf(item);
    if (!parts) {
      this.#outcomes[place] = noPrepared(place);
      return;
    }
    const batch = this.#batchOf(parts.topic);
    batch.many.push(outgoingNow(parts));
    batch.places.push(place);
  }

  #batchOf(topic: TopicDefinition): Batch {
    const known = this.#batches.get(topic.name);
    if (known) return known;
    const made: Batch = { topic, many: [], places: [] };
    this.#batches.set(topic.name, made);
    return made;
  }

  async #send({ topic, many, places }: Batch, send: Send): Promise<void> {
    const outcomes = await attempted(() => send(topic, many));
    places.forEach((place, index) => (this.#outcomes[place] = outcomes instanceof Error ? outcomes : outcomes[index]!));
  }
}

/** Ports are other people's code: one that throws fails its own batch. */
async function attempted<T>(send: () => Promise<T>): Promise<T | Error> {
  try {
    return await send();
  } catch (thrown) {
    return asError(thrown);
  }
}

function noPrepared(place: number): MillraceError {
  return new MillraceError(
    'INVALID_INPUT',
    `publishPrepared(), item ${place} is no prepared message, and was not published: pass what publisher.prepare() returned in this process, ` +
      'awaited. A copy of it is none; to keep one for another process, store its payload and options, and prepare it there.',
  );
}
