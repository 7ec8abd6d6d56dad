import { type OutgoingMessage, Publisher, type PublishPort, type PublishResult, type TopicDefinition } from '@millrace/core';

/** The other side of a publisher: remembers what arrives. */
export class Recorder implements PublishPort {
  readonly publisher = new Publisher(this);
  readonly sent: OutgoingMessage[] = [];
  readonly topics: TopicDefinition[] = [];

  publish(topic: TopicDefinition, message: OutgoingMessage): Promise<PublishResult> {
    this.topics.push(topic);
    this.sent.push(message);
    return Promise.resolve({ id: message.id, partition: 0, offset: this.sent.length - 1, duplicate: false });
  }
}
