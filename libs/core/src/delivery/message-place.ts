import type { PayloadPlace } from '../contract/payload.js';
import type { TopicDefinition } from '../contract/topic.js';
import { type UnknownProperties, unknownPropertiesOf } from '../contract/unknown-properties.js';

/** Which messages are read, and what the process says where the topic says nothing. */
export interface MessageSource {
  readonly topic: TopicDefinition;
  readonly unknownProperties?: UnknownProperties | undefined;
}

/** How the payloads of a topic's messages are read in this process. */
export function messagePlace({ topic, unknownProperties }: MessageSource): PayloadPlace {
  return { where: `message of topic '${topic.name}'`, unknownProperties: unknownPropertiesOf(topic, unknownProperties) };
}
