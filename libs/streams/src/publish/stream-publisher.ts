import {
  asError, type DueTime, MillraceError, type Outgoing, type OutgoingMessage, type PublishPort, type PublishResult,
  type SendOptions, type TopicDefinition,
} from '@millrace/core';
import { Outcomes, type PlaceAmongMany } from './outcomes.js';
import { DurableRoutes } from '../durable/durable-routes.js';
import { tellRefused } from './publish-tally.js';
import { TopicPublisher, type TopicPublisherParts, type Way } from './topic-publisher.js';

export type StreamPublisherParts = Omit<TopicPublisherParts, 'routes' | 'claimRoutes'>;

/** Publishes to any topic. */
export class StreamPublisher implements PublishPort {
  readonly #parts: StreamPublisherParts;
  readonly #routes: DurableRoutes;
  readonly #claimRoutes: DurableRoutes;
  readonly #topics = new Map<string, TopicPublisher>();
  #closed = false;

  constructor(parts: StreamPublisherParts) {
    this.#parts = parts;
    this.#routes = new DurableRoutes(parts.redis, { purpose: 'publish', stored: 'message' });
    this.#claimRoutes = new DurableRoutes(parts.redis, { purpose: 'publish', stored: 'idempotency key' });
    parts.counts.onChange((topic) => this.#topics.get(topic)?.follow());
  }

  publish(topic: TopicDefinition, message: OutgoingMessage, sendOptions?: SendOptions): Promise<PublishResult> {
    try {
      const { batcher, claimer } = this.#wayOf(topic, message, sendOptions);
      const published = batcher.publish(message, sendOptions, claimer);
      return sendOptions?.due ? this.#delayed(topic, sendOptions.due, published) : published;
    } catch (thrown) {
      return Promise.reject(asError(thrown));
    }
  }

  publishMany(topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly (PublishResult | Error)[]> {
    const outcomes = new Outcomes(many.length);
    many.forEach((one, index) => this.#publishOneOf(topic, one, { outcomes, index }));
    return outcomes.all;
  }

  /** Refuses new publishes, and resolves when the earlier ones are settled, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#topics.values()].map((topic) => topic.close(deadlineMs)));
  }

  #publishOneOf(topic: TopicDefinition, one: Outgoing, place: PlaceAmongMany): void {
    const { message, sendOptions } = one;
    try {
      const { batcher, claimer } = this.#wayOf(topic, message, sendOptions);
      if (sendOptions?.due) {
        settleAt(place, this.#delayed(topic, sendOptions.due, batcher.publish(message, sendOptions, claimer)));
      } else batcher.publishOneOf(one, place, claimer);
    } catch (thrown) {
      place.outcomes.set(place.index, asError(thrown));
    }
  }

  /** @throws MillraceError CLOSED */
  #wayOf(topic: TopicDefinition, message: OutgoingMessage, sendOptions: SendOptions | undefined): Way {
    if (this.#closed) {
      tellRefused(topic.name);
      throw new MillraceError('CLOSED', `Nothing was published to '${topic.name}': this process is shutting down.`);
    }
    let publisher = this.#topics.get(topic.name);
    if (!publisher) {
      publisher = new TopicPublisher({ ...this.#parts, routes: this.#routes, claimRoutes: this.#claimRoutes }, topic);
      this.#topics.set(topic.name, publisher);
    }
    return publisher.wayOf(message, sendOptions);
  }

  async #delayed(topic: TopicDefinition, due: DueTime, published: Promise<PublishResult>): Promise<PublishResult> {
    const result = await published;
    this.#parts.tender.delayed(topic, 'inMs' in due ? due.inMs : due.atMs - Date.now());
    return result;
  }
}

function settleAt({ outcomes, index }: PlaceAmongMany, published: Promise<PublishResult>): void {
  published.then(
    (result) => outcomes.set(index, result),
    (thrown: unknown) => outcomes.set(index, asError(thrown)),
  );
}
