import type { TopicDefinition } from '../contract/topic.js';
import { type ErrorCode, MillraceError } from '../errors.js';
import { quote } from '../names.js';
import type { Message } from './delivery.js';
import { errorRecord } from './error-record.js';
import { matcherOf, type MessageFilter } from './filter.js';
import type { GiveUpReason, Outcome } from './outcome.js';

/** How a message ends that the handler is not for; null for what the handler is to decide. It never throws. */
export type Prefilter = (message: Message) => Outcome | null;

export interface PrefilterRules {
  readonly topic: TopicDefinition;
  /** The one type of message that is handled; null or absent for all of the topic. */
  readonly type?: string | null;
  /** Absent: all messages are handled. */
  readonly filter?: MessageFilter | undefined;
}

const FILTERED: Outcome = { kind: 'ack', filtered: true };

export function prefilterOf({ topic, type = null, filter = {} }: PrefilterRules): Prefilter {
  const matches = matcherOf(filter);
  return (message) => {
    if ((type !== null && message.type !== type) || !matches(message)) return FILTERED;
    return typeFault(topic, message);
  };
}

/** Given up, when a message cannot be made an instance of its class; a topic without types has one class for all. */
function typeFault(topic: TopicDefinition, { type, schema }: Message): Outcome | null {
  if (type === null || topic.types.size === 0) return null;
  const known = topic.types.get(type);
  const what = `A message of topic '${topic.name}' is of the type ${quote(type)}`;
  if (!known) {
    return givenUp('UNKNOWN_MESSAGE_TYPE', `${what}, which no class of this process is for: import its class, then redrive.`);
  }
  if (schema <= known.version) return null;
  const versions = `in version ${schema}; ${known.payload.name} reads up to ${known.version}`;
  return givenUp('UNSUPPORTED_VERSION', `${what} ${versions}. Upgrade this process, then redrive.`);
}

function givenUp(reason: ErrorCode & GiveUpReason, message: string): Outcome {
  return { kind: 'dead-letter', reason, error: errorRecord(new MillraceError(reason, message)) };
}
