import type { PayloadPlace } from '../contract/payload.js';
import type { TopicDefinition } from '../contract/topic.js';
import { type UnknownProperties, unknownPropertiesOf } from '../contract/unknown-properties.js';

/** The topic whose messages are read, and the rule of the process for a topic without one. */
export interface MessageSource {
  readonly topic: TopicDefinition;
  readonly unknownProperties?: UnknownProperties | undefined;
}

/** How the payloads of a topic's messages are read in this process. */
export function messagePlace({ topic, unknownProperties }: MessageSource): PayloadPlace {
  return { where: `message of topic '${topic.name}'`, unknownProperties: unknownPropertiesOf(topic, unknownProperties) };
}
