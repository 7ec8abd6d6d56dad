import { isName, parseOptions, type TopicDefinition } from '@millrace/core';
import type { DelayedFacts } from '@millrace/streams';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { topicWith } from '../topics/known-topic.js';

/** A topic with messages that are not due yet. */
export interface TopicSchedule {
  readonly topic: string;
  readonly delayed: number;
  /** When the first and the last of them are due, by Redis's clock; long past where no publisher runs, or a log is full. */
  readonly nextAt: Date;
  readonly lastAt: Date;
  /** The partitions that have some, by their numbers. */
  readonly partitions: readonly DelayedFacts[];
}

const QUESTION = questionOf('schedules');
/** Partitions that are looked at for one page, at the most but for one topic. */
const MOST_PARTITIONS = 4_096;

/** The topics with messages that are not due yet, by their names. `scanned` counts topics. */
export async function listSchedules({ streams }: UseCaseParts, options: PageOptions = {}): Promise<Page<TopicSchedule>> {
  const { limit, cursor }: PageOptions = parseOptions(PageOptions, options, 'schedules.list()');
  const start = positionIn(cursor, QUESTION, isPosition);
  const known = await streams.inspector.topics();
  const topics = known.filter(({ name, partitions }) => isName(name) && Number.isInteger(partitions));
  const rest = topics.filter(({ name }) => start === null || name > start.after);
  const items: TopicSchedule[] = [];
  let [done, looks] = [0, 0];
  while (done < rest.length && items.length < limit && looks < MOST_PARTITIONS) {
    const { name, partitions } = rest[done]!;
    const schedule = await scheduleOf(streams.reader, topicWith(name, partitions));
    if (schedule !== null) items.push(schedule);
    looks += partitions;
    done += 1;
  }
  const position = done === rest.length ? null : { after: rest[done - 1]!.name };
  return pageOf(items, { question: QUESTION, scanned: done, position });
}

async function scheduleOf(reader: UseCaseParts['streams']['reader'], topic: TopicDefinition): Promise<TopicSchedule | null> {
  const all = await Promise.all(Array.from({ length: topic.partitions }, (_, partition) => reader.delayed({ topic, partition })));
  const partitions = all.filter((facts) => facts !== null);
  if (partitions.length === 0) return null;
  const [firsts, lasts] = [partitions.map(({ nextAt }) => nextAt.getTime()), partitions.map(({ lastAt }) => lastAt.getTime())];
  const delayed = partitions.reduce((sum, one) => sum + one.delayed, 0);
  return { topic: topic.name, delayed, nextAt: new Date(Math.min(...firsts)), lastAt: new Date(Math.max(...lasts)), partitions };
}

function isPosition(value: unknown): value is { after: string } {
  return isName(partsOf(value)?.['after']);
}
