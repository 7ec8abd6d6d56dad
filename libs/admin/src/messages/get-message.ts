import { IsWholeNumber, parseOptions } from '@millrace/core';
import type { LogItem } from '@millrace/streams';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from '../topics/known-topic.js';
import { noPartition } from './browse-messages.js';
import { type MessageView, viewOf } from './message-view.js';

/** The place of a message in its topic. */
export class MessagePlace {
  /** Its partition. Required. */
  @IsWholeNumber({ min: 0, max: 255 })
  partition!: number;

  /** Its offset. Required. */
  @IsWholeNumber({ min: 0 })
  offset!: number;
}

/**
 * One message by its place; null when it is not there (any more).
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, STATE_LOST
 */
export async function getMessage(parts: UseCaseParts, target: TopicTarget, place: MessagePlace): Promise<MessageView | null> {
  const found = await itemAt(parts, target, parseOptions(MessagePlace, place, 'messages.get()'));
  return found ? parts.mask.message(viewOf(found)) : null;
}

/** The entry of a message as it is stored. @param place which is checked */
export async function itemAt(
  { streams }: UseCaseParts,
  { topic: name }: TopicTarget,
  { partition, offset }: MessagePlace,
): Promise<LogItem | null> {
  const topic = await knownTopic(streams.inspector, name);
  if (partition >= topic.partitions) throw noPartition(name, partition);
  const { after } = await streams.reader.locate({ topic, partition }, { offset });
  const { items } = await streams.reader.read({ topic, partition }, { after, until: null, most: 1 });
  return items.find((item) => item.offset === offset) ?? null;
}
