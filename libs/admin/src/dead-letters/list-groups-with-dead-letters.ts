import { isMillraceError, isName, parseOptions, type TopicDefinition } from '@millrace/core';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { topicWith } from '../topics/known-topic.js';

/** A group that has dead letters. */
export interface DeadLetterGroup {
  readonly topic: string;
  readonly group: string;
  readonly deadLetters: number;
}

const QUESTION = questionOf('groups with dead letters');
/** Partitions of groups that are counted for one page, at the most but for one topic. */
const MOST_LOOKS = 4_096;

/** The groups that have dead letters, by topic and name. A page ends behind a topic: it may have some more than its limit. */
export async function listGroupsWithDeadLetters(
  { streams }: UseCaseParts,
  options: PageOptions = {},
): Promise<Page<DeadLetterGroup>> {
  const { limit, cursor }: PageOptions = parseOptions(PageOptions, options, 'deadLetters.list()');
  const start = positionIn(cursor, QUESTION, isPosition);
  const known = await streams.inspector.topics();
  const topics = known.filter(({ name, partitions }) => isName(name) && Number.isInteger(partitions));
  const rest = topics.filter(({ name }) => start === null || name > start.after);
  const items: DeadLetterGroup[] = [];
  let [scanned, looks, done] = [0, 0, 0];
  while (done < rest.length && items.length < limit && looks < MOST_LOOKS) {
    const { name, partitions } = rest[done]!;
    const groups = await counted(streams, topicWith(name, partitions));
    items.push(...groups.filter(({ deadLetters }) => deadLetters > 0));
    scanned += groups.length;
    looks += partitions * (groups.length + 1);
    done += 1;
  }
  const position = done === rest.length ? null : { after: rest[done - 1]!.name };
  return pageOf(items, { question: QUESTION, scanned, position });
}

async function counted({ inspector, deadLetters }: UseCaseParts['streams'], topic: TopicDefinition): Promise<DeadLetterGroup[]> {
  const counts: DeadLetterGroup[] = [];
  for (const { name: group } of await inspector.groups(topic)) {
    const count = await deadLetters.count(topic, group).catch(nullWhereRemoved);
    if (count !== null) counts.push({ topic: topic.name, group, deadLetters: count });
  }
  return counts;
}

function nullWhereRemoved(error: unknown): null {
  if (isMillraceError(error) && error.code === 'UNKNOWN_GROUP') return null;
  throw error;
}

function isPosition(value: unknown): value is { after: string } {
  return isName(partsOf(value)?.['after']);
}
