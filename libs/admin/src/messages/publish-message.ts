import {
  asError, type DefinedTopic, type Duration, IsDurationOption, parseOptions, Publisher, type PublishOptions, type PublishResult,
} from '@millrace/core';
import { IsDefined, IsObject, IsOptional, IsString, Length } from 'class-validator';
import type { Mutation, Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from '../topics/known-topic.js';

/** The options of a message that an operator publishes, beside its payload. */
export class OperatorMessageOptions extends MutationOptions {
  /** Decides the partition and the order: at most 1024 bytes. Default: none. */
  @IsOptional() @IsString()
  key?: string;

  /** At most 64 short strings. Default: none. */
  @IsOptional() @IsObject()
  headers?: Readonly<Record<string, string>>;

  /** The name of its type, on a topic with several. Default: none. */
  @IsOptional() @Length(1, 128)
  type?: string;

  /** Makes the publish unique in the topic for a day: 1 to 256 bytes. Default: none. */
  @IsOptional() @IsString()
  idempotencyKey?: string;

  /** How long to wait before the groups get it, `'0s'` to `'365d'`. Default: not at all. */
  @IsOptional() @IsDurationOption({ min: '0s', max: '365d' })
  delay?: Duration;
}

/** The options of `messages.publish`. */
export class PublishMessageOptions extends OperatorMessageOptions {
  /** Any JSON value: no contract is known here, and nothing else is checked. Required. */
  @IsDefined({ message: 'payload must be a JSON value' })
  payload!: unknown;
}

export interface PublishImpact {
  /** The size of the payload as JSON. */
  readonly bytes: number;
  readonly partitions: number;
  /** The groups that get it. */
  readonly groups: readonly string[];
}

/**
 * Publishes a message onto a topic that is known by its name alone. No class validates the payload here: a group whose handlers
 * have one gives up what does not fit. The audit stream gets the message's id, and nothing of its content.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_HEADERS, UNKNOWN_TOPIC, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
 *   AUDIT_FAILED, and IDEMPOTENCY_MISMATCH: nothing was stored; PUBLISH_INDEFINITE: it may be stored
 */
export async function publishMessage(
  parts: UseCaseParts,
  { topic }: TopicTarget,
  options: PublishMessageOptions,
): Promise<Mutation<PublishImpact, PublishResult>> {
  const { payload, key, headers, type, idempotencyKey, delay, ...terms } = parseOptions(PublishMessageOptions, options, 'messages.publish()');
  const message = { payload, type: type ?? null, schema: 1, options: { key, headers: { ...headers }, idempotencyKey, delay } };
  return parts.mutations.run<PublishImpact, PublishResult, SeenMessage>(
    {
      name: 'messages.publish', target: { topic }, terms: { type, delay }, isDestructive: false,
      observe: () => seeMessage(parts, topic, message),
      apply: ({ publish }) => publish(),
    },
    terms,
  );
}

/** A message that is ready to be published. */
export interface SeenMessage extends Observed<PublishImpact> {
  readonly publish: () => Promise<PublishResult>;
}

export interface MessageToPublish {
  readonly payload: unknown;
  readonly type: string | null;
  readonly schema: number;
  readonly options: PublishOptions;
}

/** Validates the message and writes it, and publishes nothing. */
export async function seeMessage(
  { streams }: UseCaseParts,
  name: string,
  { payload, type, schema, options }: MessageToPublish,
): Promise<SeenMessage> {
  const topic = await knownTopic(streams.inspector, name);
  const publisher = new Publisher({
    publish: (definition, message, sendOptions) => streams.publish(definition, { ...message, type, schema }, sendOptions),
  });
  const prepared = await publisher.prepare(topic as DefinedTopic, payload, options);
  const groups = (await streams.inspector.groups(topic)).map((group) => group.name);
  const publish = async (): Promise<PublishResult> => {
    const [outcome] = await publisher.publishPrepared([prepared]);
    if (outcome?.status === 'fulfilled') return outcome.value;
    throw asError(outcome?.status === 'rejected' ? outcome.reason : 'no outcome');
  };
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  return { impact: { bytes, partitions: topic.partitions, groups }, publish };
}
