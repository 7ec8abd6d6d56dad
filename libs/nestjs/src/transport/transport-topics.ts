import { defineTopic, type TopicDefinition, topicOfRef } from '@millrace/core';
import type { Inspector } from '@millrace/streams';
import { contractIn } from './handler-book.js';

/** The topics of patterns. One without a class has the partitions that it is stored with, else one. */
export class TransportTopics {
  readonly #inspector: Inspector;
  readonly #plain = new Map<string, Promise<TopicDefinition>>();

  constructor(inspector: Inspector) {
    this.#inspector = inspector;
  }

  /**
   * @param name the route of the pattern
   * @throws MillraceError INVALID_NAME; RedisFailure
   */
  of(pattern: unknown, name: string): Promise<TopicDefinition> {
    const contract = contractIn(pattern);
    return contract === null ? this.plain(name) : Promise.resolve(topicOfRef(contract));
  }

  plain(name: string): Promise<TopicDefinition> {
    const known = this.#plain.get(name);
    if (known) return known;
    const looking = this.#look(name);
    this.#plain.set(name, looking);
    looking.catch(() => this.#plain.delete(name));
    return looking;
  }

  async #look(name: string): Promise<TopicDefinition> {
    const topic = defineTopic(name);
    const stored = (await this.#inspector.topics()).find((each) => each.name === name);
    return stored && stored.partitions > 1 ? defineTopic(name, { partitions: stored.partitions }) : topic;
  }
}
