import { IsMoment, isName, IsWholeNumber, MillraceError, parseOptions, traceIdOf } from '@millrace/core';
import { IsOptional, Length, Matches } from 'class-validator';
import { findMessages } from '../messages/find-messages.js';
import type { Condition } from '../messages/condition.js';
import type { MessageView } from '../messages/message-view.js';
import { getMessage } from '../messages/get-message.js';
import { CURSOR_LENGTH, isMoment, partsOf, positionIn, questionOf, type SincePosition, sinceOf } from '../page/cursor.js';
import { knownTopic } from '../topics/known-topic.js';
import { deliveriesOf, type Delivery } from './deliveries.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { NO_MASK } from '../view/mask.js';

const HOUR_MS = 3_600_000;

/** The options of `trace`: one of `messageId`, `traceId` and `header`. */
export class TraceOptions extends PageOptions {
  /** The id of a message. */
  @IsOptional() @Length(1, 256)
  messageId?: string;

  /** The id of a trace, in the header `traceparent`: 32 hex digits. */
  @IsOptional() @Matches(/^[0-9a-f]{32}$/, { message: 'traceId must be 32 hex digits in small letters' })
  traceId?: string;

  /** A header, `{ name, value }`, such as one that correlates messages. */
  @IsOptional()
  header?: { readonly name: string; readonly value: string };

  /** Messages that were stored since then, by Redis's clock. Default: the last hour, by the clock of this process. */
  @IsOptional() @IsMoment()
  since?: Date;

  /** Entries that are read for a page at the most, 1 to 10,000. Default 2,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  mostEntries?: number = 2_000;
}

export interface TracedMessage {
  readonly topic: string;
  readonly message: MessageView;
  /** The trace that it belongs to; null when it has none. */
  readonly traceId: string | null;
  /**
   * The id of the message that caused it, from its header `causation-id`; null without one. An application sets it: Redis has
   * nothing else from which it could be told. The parent in `traceparent` is a span, whose message only a tracer knows; without
   * a tracer it is the same for all messages of the trace.
   */
  readonly causationId: string | null;
  /**
   * Its state in each group of the topic; null for an entry that is no message, and behind 2,000 looks for a page.
   * A group keeps no record of a message that it settled: nothing tells when that was, who did it, how many attempts it took, and
   * whether the handler ran, or the message was discarded, filtered or expired. A dead letter that was discarded or redriven, and
   * settled since, counts as settled. Jobs and calls of its handlers are told by none of it.
   */
  readonly deliveries: readonly Delivery[] | null;
}

export interface TracePage extends Page<TracedMessage> {
  /** Since when it looks: nothing is said of messages from before. */
  readonly since: Date;
}

interface TracePosition extends SincePosition {
  readonly topic: string;
  /** In the topic; null at its beginning. */
  readonly cursor: string | null;
}

/**
 * Looks through all topics, by their names, for the messages of a trace. A page looks at one topic: most pages have no message.
 *
 * @throws MillraceError INVALID_OPTIONS, INVALID_CURSOR; FORBIDDEN for a header that is not shown
 */
export async function traceMessages(parts: UseCaseParts, options: TraceOptions): Promise<TracePage> {
  const parsed: TraceOptions = parseOptions(TraceOptions, options, 'trace()');
  const wanted = wantedOf(parsed);
  parts.mask.assertMayLookFor(wanted, 'trace()');
  const { cursor, limit, mostEntries } = parsed;
  const question = questionOf('trace', wanted);
  const start = positionIn(cursor, question, isPosition);
  const since = sinceOf(start, parsed.since) ?? new Date(Date.now() - HOUR_MS);
  const names = (await parts.streams.inspector.topics()).map(({ name }) => name).filter(isName);
  const topic = names.find((name) => start === null || name >= start.topic);
  if (topic === undefined) return { ...pageOf<TracedMessage>([], { question, scanned: 0, position: null }), since };
  const inTopic = start?.topic === topic ? (start.cursor ?? undefined) : undefined;
  const found = await findMessages(parts, { topic }, { ...wanted, since, limit, mostEntries, cursor: inTopic });
  const items = await tracedOf(parts, topic, found.items);
  const next = found.nextCursor === null ? names.find((name) => name > topic) : topic;
  const position = next === undefined ? null : { topic: next, cursor: found.nextCursor, since: since.getTime() };
  return { ...pageOf(items, { question, scanned: found.scanned, position }), since };
}

const CAUSE = 'causation-id';

async function tracedOf(parts: UseCaseParts, topic: string, messages: readonly MessageView[]): Promise<TracedMessage[]> {
  if (messages.length === 0) return [];
  const { streams } = parts;
  const keyed = await Promise.all(messages.map((message) => withKey(parts, topic, message)));
  const deliveries = await deliveriesOf(streams, await knownTopic(streams.inspector, topic), keyed);
  return messages.map((message, index) => {
    const traceId = traceIdOf(message.headers) ?? null;
    return { topic, message, traceId, causationId: message.headers[CAUSE] ?? null, deliveries: deliveries[index]! };
  });
}

/** Groups put messages aside by their keys, also those that the asker may not see. */
async function withKey(parts: UseCaseParts, topic: string, message: MessageView): Promise<MessageView> {
  const { partition, offset, hidden, redacted } = message;
  if (offset === null || !(hidden || redacted.includes('key'))) return message;
  return (await getMessage({ ...parts, mask: NO_MASK }, { topic }, { partition, offset })) ?? message;
}

interface Wanted {
  readonly id?: string;
  readonly headers?: Record<string, string>;
  readonly where?: Condition[];
}

function wantedOf({ messageId, traceId, header }: TraceOptions): Wanted {
  if ([messageId, traceId, header].filter((way) => way !== undefined).length !== 1) throw oneWay();
  if (messageId !== undefined) return { id: messageId };
  if (traceId !== undefined) return { where: [{ field: 'headers.traceparent', op: 'contains', value: `-${traceId}-` }] };
  const { name, value } = header as { name: unknown; value: unknown };
  if (typeof name !== 'string' || typeof value !== 'string') throw oneWay();
  return { headers: { [name]: value } };
}

function oneWay(): MillraceError {
  return new MillraceError('INVALID_OPTIONS', 'trace(): say what to look for: messageId, traceId or header: { name, value }, and one of them alone.');
}

function isPosition(value: unknown): value is TracePosition {
  const parts = partsOf(value);
  if (parts === null || !isName(parts['topic']) || !isMoment(parts['since'])) return false;
  const { cursor } = parts;
  return cursor === null || (typeof cursor === 'string' && cursor.length <= CURSOR_LENGTH);
}
