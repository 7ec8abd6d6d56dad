import { isMillraceError, isName, parseOptions } from '@millrace/core';
import type { KnownTopic } from '@millrace/streams';
import { IsOptional, Matches } from 'class-validator';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { topicWith } from './known-topic.js';
import { summaryOf, type TopicSummary } from './topic-summary.js';

/** The options of `topics.list`. */
export class ListTopicsOptions extends PageOptions {
  /** Topics whose names begin so. Default: all. */
  @IsOptional() @Matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, { message: 'prefix must be the beginning of the name of a topic' })
  prefix?: string;
}

/** A topic in a list; all but its name is null when its entry in the index is damaged. */
export type ListedTopic = TopicSummary | ({ readonly name: string } & { readonly [K in Exclude<keyof TopicSummary, 'name'>]: null });

/** Groups of partitions that are looked at for one page, at the most but for its first topic. */
const MOST_LOOKS = 4_096;

/** Topics whose look fails until no other is looked at: each may take as long as a connection waits. */
const MOST_AWAY = 3;

/** Topics by their names, with sums over their partitions and groups. */
export async function listTopics({ streams }: UseCaseParts, options: ListTopicsOptions = {}): Promise<Page<ListedTopic>> {
  return topicPage(streams, parseOptions(ListTopicsOptions, options, 'topics.list()'), (topic) => listed(streams, topic));
}

/** The first page of topics. All but the name is null of those that cannot be read now, as those on a node that is away. */
export async function listTopicsThatAnswer({ streams }: UseCaseParts): Promise<Page<ListedTopic>> {
  let away = 0;
  const look = async (topic: KnownTopic): Promise<ListedTopic> => {
    if (away >= MOST_AWAY) return unread(topic);
    return listed(streams, topic).catch((error: unknown) => {
      if (!isMillraceError(error) || !error.retryable) throw error;
      away += 1;
      return unread(topic);
    });
  };
  return topicPage(streams, { limit: 500 }, look);
}

async function topicPage(
  streams: UseCaseParts['streams'],
  { limit = 50, cursor, prefix = '' }: ListTopicsOptions,
  look: (topic: KnownTopic) => Promise<ListedTopic>,
): Promise<Page<ListedTopic>> {
  const question = questionOf('topics', prefix);
  const start = positionIn(cursor, question, isPosition);
  const all = (await streams.inspector.topics()).filter(({ name }) => name.startsWith(prefix));
  const rest = all.filter(({ name }) => start === null || name > start.after);
  const items: ListedTopic[] = [];
  for (let looks = 0; items.length < Math.min(limit, rest.length) && looks < MOST_LOOKS; ) {
    const item = await look(rest[items.length]!);
    items.push(item);
    looks += (item.partitions ?? 1) * (1 + (item.groups ?? 0));
  }
  const position = items.length === rest.length ? null : { after: items.at(-1)!.name };
  return pageOf(items, { question, scanned: items.length, position });
}

async function listed(streams: UseCaseParts['streams'], topic: KnownTopic): Promise<ListedTopic> {
  const { name, partitions } = topic;
  return Number.isInteger(partitions) && isName(name) ? summaryOf(streams, topicWith(name, partitions)) : unread(topic);
}

function unread({ name }: KnownTopic): ListedTopic {
  const unknown = { partitions: null, messages: null, delayed: null, oldestAt: null, newestAt: null };
  return { name, ...unknown, groups: null, worstLag: null, deadLetters: null };
}

function isPosition(value: unknown): value is { after: string } {
  return isName(partsOf(value)?.['after']);
}
