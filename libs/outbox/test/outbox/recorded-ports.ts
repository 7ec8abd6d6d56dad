import type { AgedJobDraft, Outgoing, PublishResult, TopicDefinition } from '@millrace/core';
import type { RelayPorts } from '@millrace/outbox';

/** A message that a relay published. */
export interface Published {
  readonly topic: string;
  readonly id: string;
  readonly key: string | null;
  readonly text: string;
  readonly sent: Outgoing;
}

/** The side of a relay that is Redis elsewhere: it stores each id once, and refuses what the test says. */
export class RecordedPorts implements RelayPorts {
  readonly published: Published[] = [];
  readonly enqueued: AgedJobDraft[] = [];
  /** Publishes that were asked for, those of known ids included. */
  calls = 0;
  /** An error refuses the message. */
  refuse: (message: Published) => Error | null = () => null;
  /** Awaited before anything is stored. */
  gate: () => Promise<void> = () => Promise.resolve();
  readonly #topics: ReadonlyMap<string, TopicDefinition>;

  constructor(...topics: readonly TopicDefinition[]) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
  }

  readonly topicOf = (name: string): TopicDefinition | undefined => this.#topics.get(name);

  readonly publish = {
    publishMany: async (topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly (PublishResult | Error)[]> => {
      await this.gate();
      return many.map((sent) => this.#store(topic.name, sent));
    },
  };

  readonly jobs = {
    enqueueDrafts: async (_queue: string, drafts: readonly AgedJobDraft[]) => {
      this.enqueued.push(...drafts);
      return drafts.map(({ draft }) => ({ id: draft.id, duplicate: false }));
    },
  };

  /** The payloads, in the order in which they were published. */
  payloads(key?: string): unknown[] {
    const chosen = this.published.filter((message) => key === undefined || message.key === key);
    return chosen.map(({ text }) => JSON.parse(text) as unknown);
  }

  #store(topic: string, sent: Outgoing): PublishResult | Error {
    this.calls += 1;
    const { id, key, payloadJson: text } = sent.message;
    const message = { topic, id, key, text, sent };
    const duplicate = this.published.some((known) => known.id === id);
    const error = duplicate ? null : this.refuse(message);
    if (error) return error;
    if (!duplicate) this.published.push(message);
    return { id, partition: 0, offset: this.published.length, duplicate };
  }
}
