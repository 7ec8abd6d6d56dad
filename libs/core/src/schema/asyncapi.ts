import type { MessageTypeDefinition, TopicDefinition } from '../contract/topic.js';
import type { Schema } from './schema.js';
import { SchemaBook } from './schema-book.js';

/** A topic of which no contract is at hand. */
interface KnownTopic {
  readonly name: string;
  readonly partitions: number;
}

/**
 * Topics as an AsyncAPI 3.0 document.
 *
 * @param contracts those that the application publishes, with their types and payloads
 * @param known those in Redis, of which no more is known than their names and their partitions
 */
export function asyncApiDocument(contracts: readonly TopicDefinition[], known: readonly KnownTopic[]): object {
  const book = new SchemaBook();
  const own = new Map(contracts.map((topic) => [topic.name, topic]));
  const others = known.filter(({ name }) => !own.has(name));
  const channels = [...own.values()].map((topic): [string, object] => [topic.name, channelOf(topic, book)]);
  const unknown = others.map(({ name, partitions }): [string, object] => [name, {
    address: name, description: 'It is known in Redis. This application has no contract of it.', messages: {}, 'x-millrace-partitions': partitions,
  }]);
  const operations = [...own.keys()].map((name): [string, object] => [
    `publish.${name}`, { action: 'send', channel: { $ref: `#/channels/${name}` }, summary: `Publishes to ${name}.` },
  ]);
  return {
    asyncapi: '3.0.0',
    info: { title: 'Topics of Millrace', version: '1' },
    defaultContentType: 'application/json',
    channels: Object.fromEntries([...channels, ...unknown]),
    operations: Object.fromEntries(operations),
    components: { schemas: book.schemas },
  };
}

function channelOf(topic: TopicDefinition, book: SchemaBook): object {
  const { name, partitions, payload, types } = topic;
  const whole: MessageTypeDefinition | null = payload && { name: null, version: 1, payload };
  const messages = whole ? [whole, ...types.values()] : [];
  const parts = messages.map((type): [string, object] => [type.name ?? 'payload', messageOf(type, topic, book.refTo(type.payload))]);
  const any: [string, object][] = [['payload', { name, contentType: 'application/json', payload: {} }]];
  return { address: name, messages: Object.fromEntries(parts.length > 0 ? parts : any), 'x-millrace-partitions': partitions };
}

function messageOf({ name, version }: MessageTypeDefinition, topic: TopicDefinition, payload: Schema): object {
  return { name: name ?? topic.name, contentType: 'application/json', payload, 'x-millrace-version': version };
}
