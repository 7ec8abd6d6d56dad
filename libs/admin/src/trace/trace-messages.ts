import { isName, IsWholeNumber, MillraceError, parseOptions, traceIdOf } from '@millrace/core';
import { IsDate, IsOptional, Length, Matches } from 'class-validator';
import { findMessages } from '../messages/find-messages.js';
import type { Condition } from '../messages/condition.js';
import type { MessageView } from '../messages/message-view.js';
import { knownTopic } from '../topics/known-topic.js';
import { deliveriesOf, type Delivery } from './deliveries.js';
import { CURSOR_LENGTH, partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';

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
  @IsOptional() @IsDate()
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
   * What each group of the topic has done with it; null for an entry that is no message, and behind 2,000 looks for a page.
   * A group keeps no record of a message that it settled: nothing tells when that was, who did it, how many attempts it took, and
   * whether the handler ran, or the message was discarded, filtered or expired. A dead letter that was discarded or redriven, and
   * settled since, counts as settled. Jobs and calls of its handlers are told by none of it.
   */
  readonly deliveries: readonly Delivery[] | null;
}

export interface TracePage extends Page<TracedMessage> {
  /** Since when it looks: nothing is said of messages from before. Give it with the cursor of the next page. */
  readonly since: Date;
}

interface TracePosition {
  readonly topic: string;
  /** In the topic; null at its beginning. */
  readonly cursor: string | null;
}

/**
 * Looks through all topics, by their names, for the messages of a trace. A page looks at one topic: most pages have no message.
 *
 * @throws MillraceError INVALID_OPTIONS, INVALID_CURSOR
 */
export async function traceMessages(parts: UseCaseParts, options: TraceOptions): Promise<TracePage> {
  const parsed: TraceOptions = parseOptions(TraceOptions, options, 'trace()');
  const wanted = wantedOf(parsed);
  const { cursor, limit, mostEntries } = parsed;
  const since = parsed.since ?? new Date(Date.now() - HOUR_MS);
  const question = questionOf('trace', wanted, since);
  const start = positionIn(cursor, question, isPosition);
  const names = (await parts.streams.inspector.topics()).map(({ name }) => name).filter(isName);
  const topic = names.find((name) => start === null || name >= start.topic);
  if (topic === undefined) return { ...pageOf<TracedMessage>([], { question, scanned: 0, position: null }), since };
  const inTopic = start?.topic === topic ? (start.cursor ?? undefined) : undefined;
  const found = await findMessages(parts, { topic }, { ...wanted, since, limit, mostEntries, cursor: inTopic });
  const items = await tracedOf(parts, topic, found.items);
  const next = found.nextCursor === null ? names.find((name) => name > topic) : topic;
  const position = next === undefined ? null : { topic: next, cursor: found.nextCursor };
  return { ...pageOf(items, { question, scanned: found.scanned, position }), since };
}

const CAUSE = 'causation-id';

async function tracedOf({ streams }: UseCaseParts, topic: string, messages: readonly MessageView[]): Promise<TracedMessage[]> {
  if (messages.length === 0) return [];
  const deliveries = await deliveriesOf(streams, await knownTopic(streams.inspector, topic), messages);
  return messages.map((message, index) => {
    const traceId = traceIdOf(message.headers) ?? null;
    return { topic, message, traceId, causationId: message.headers[CAUSE] ?? null, deliveries: deliveries[index]! };
  });
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
  if (parts === null || !isName(parts['topic'])) return false;
  const { cursor } = parts;
  return cursor === null || (typeof cursor === 'string' && cursor.length <= CURSOR_LENGTH);
}
