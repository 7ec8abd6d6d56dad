import { isMillraceError, isName, parseOptions } from '@millrace/core';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from '../topics/known-topic.js';
import { type GroupSummary, infoOf } from './group-info.js';

/** The groups of a topic, by their names. */
export async function listGroups(
  parts: UseCaseParts,
  { topic: name }: TopicTarget,
  options: PageOptions = {},
): Promise<Page<GroupSummary>> {
  const { limit, cursor }: PageOptions = parseOptions(PageOptions, options, 'groups.list()');
  const question = questionOf('groups', name);
  const start = positionIn(cursor, question, isPosition);
  const { inspector } = parts.streams;
  const topic = await knownTopic(inspector, name);
  const known = (await inspector.groups(topic)).filter((group) => start === null || group.name > start.after);
  const page = known.slice(0, limit);
  const items: GroupSummary[] = [];
  for (const group of page) {
    const info = await infoOf(parts, topic, group).catch(nullWhereRemoved);
    if (info === null) continue;
    const { partitions: _, ...summary } = info;
    items.push(summary);
  }
  const position = page.length === known.length ? null : { after: page.at(-1)!.name };
  return pageOf(items, { question, scanned: page.length, position });
}

/** It was removed meanwhile, or its removal is under way. */
function nullWhereRemoved(error: unknown): null {
  if (isMillraceError(error) && error.code === 'UNKNOWN_GROUP') return null;
  throw error;
}

function isPosition(value: unknown): value is { after: string } {
  return isName(partsOf(value)?.['after']);
}
