import { setTimeout } from 'node:timers/promises';
import { defineTopic, isMillraceError, type TopicDefinition, topicOfRef } from '@millrace/core';
import type { Inspector } from '@millrace/streams';
import { contractIn } from './handler-book.js';

/** How soon a Redis that is away is asked again. */
const PAUSE_MS = 100;

/** The topics of patterns. One without a class has the partitions that it is stored with, else one. */
export class TransportTopics {
  readonly #inspector: Inspector;
  /** Those that are stored, and those that are looked for. */
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

  /** @param patienceMs how long Redis is waited for where it cannot be reached. Default: not at all */
  plain(name: string, patienceMs = 0): Promise<TopicDefinition> {
    const known = this.#plain.get(name);
    if (known) return known;
    const looking = this.#look(name, performance.now() + patienceMs);
    this.#plain.set(name, looking);
    looking.catch(() => this.#plain.delete(name));
    return looking;
  }

  async #look(name: string, untilMs: number): Promise<TopicDefinition> {
    const topic = defineTopic(name);
    const stored = (await this.#stored(untilMs)).find((each) => each.name === name);
    // Another process may make it with other partitions before this one does.
    if (!stored) this.#plain.delete(name);
    return stored && stored.partitions > 1 ? defineTopic(name, { partitions: stored.partitions }) : topic;
  }

  async #stored(untilMs: number): ReturnType<Inspector['topics']> {
    for (;;) {
      try {
        return await this.#inspector.topics();
      } catch (error) {
        const isAway = isMillraceError(error) && error.code === 'REDIS_UNREACHABLE';
        if (!isAway || performance.now() + PAUSE_MS > untilMs) throw error;
        await setTimeout(PAUSE_MS);
      }
    }
  }
}
