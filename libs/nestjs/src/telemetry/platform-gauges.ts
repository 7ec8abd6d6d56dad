import { defineTopic, isMillraceError, isName, newMessageId, type TopicDefinition } from '@millrace/core';
import { withDeadline } from '@millrace/redis';
import { type GroupState, type Streams, sumStates } from '@millrace/streams';
import { type GroupSample, LABEL_LIMITS, type PlatformSample } from '@millrace/telemetry';
import type { Connections } from '../module/connections.js';
import { ExporterLock } from './exporter-lock.js';

/** Looks at Redis are not repeated sooner. */
const FRESH_MS = 5_000;
/** A look at the metrics waits no longer: the one after it has the newer figures. */
const MOST_WAIT_MS = 2_000;
/** Partitions of groups that are looked at in one round, but for one topic. The next round goes on with the others. */
const MOST_LOOKS = 4_096;

interface TopicFigures {
  readonly messages: number;
  readonly groups: readonly GroupSample[];
}

/**
 * Reads the gauges of all topics and groups in one process: the one that holds the lock. It does so while somebody looks at the
 * metrics, and not by itself.
 */
export class PlatformGauges {
  readonly #connections: Connections;
  readonly #prefix: string;
  readonly #own = newMessageId();
  readonly #figures = new Map<string, TopicFigures>();
  #round: Promise<void> | null = null;
  #isExporter = false;
  #readAt = Number.NEGATIVE_INFINITY;
  /** The last topic of the round before; null at the end of them. */
  #last: string | null = null;

  constructor(connections: Connections, prefix: string) {
    this.#connections = connections;
    this.#prefix = prefix;
  }

  /** Null where another process has them, or Redis does not answer. */
  readonly sample = async (): Promise<PlatformSample | null> => {
    const streams = this.#connections.openStreams;
    if (streams === null) return null;
    if (performance.now() - this.#readAt >= FRESH_MS) this.#round ??= this.#read(streams).finally(() => (this.#round = null));
    if (this.#round) await withDeadline(this.#round, MOST_WAIT_MS, () => new Error('later')).catch(() => undefined);
    return this.#isExporter ? this.#sampled() : null;
  };

  /** Lets another process have them at once. */
  async stop(): Promise<void> {
    if (!this.#isExporter) return;
    this.#isExporter = false;
    // Redis may be away: the lock ends by itself.
    await this.#lock().then((lock) => lock.release()).catch(() => undefined);
  }

  #sampled(): PlatformSample {
    const all = [...this.#figures];
    return { topics: all.map(([topic, { messages }]) => ({ topic, messages })), groups: all.flatMap(([, { groups }]) => groups) };
  }

  async #read(streams: Streams): Promise<void> {
    try {
      this.#isExporter = await (await this.#lock()).take();
      if (this.#isExporter) await this.#readTopics(streams);
      else this.#figures.clear();
      this.#readAt = performance.now();
    } catch {
      // Figures of before would look like those of now.
      this.#isExporter = false;
      this.#figures.clear();
    }
  }

  async #lock(): Promise<ExporterLock> {
    return new ExporterLock(await this.#connections.redis(), this.#prefix, this.#own);
  }

  async #readTopics(streams: Streams): Promise<void> {
    const known = await streams.inspector.topics();
    const sound = known.filter(({ name, partitions }) => isName(name) && Number.isInteger(partitions));
    const topics = sound.slice(0, LABEL_LIMITS.topics);
    const names = new Set(topics.map(({ name }) => name));
    for (const name of this.#figures.keys()) if (!names.has(name)) this.#figures.delete(name);
    const last = this.#last;
    const rest = last === null ? topics : topics.filter(({ name }) => name > last);
    this.#last = null;
    let looks = 0;
    for (const { name, partitions } of rest) {
      const figures = await figuresOf(streams, defineTopic(name, { partitions })).catch(nullWhereGone);
      if (figures) this.#figures.set(name, figures);
      looks += partitions * (1 + (figures?.groups.length ?? 0));
      if (looks < MOST_LOOKS) continue;
      this.#last = name;
      return;
    }
  }
}

async function figuresOf(streams: Streams, topic: TopicDefinition): Promise<TopicFigures> {
  const partitions = Array.from({ length: topic.partitions }, (_, partition) => streams.reader.facts({ topic, partition }));
  const messages = (await Promise.all(partitions)).reduce((sum, facts) => sum + facts.messages, 0);
  const groups: GroupSample[] = [];
  for (const { name } of (await streams.inspector.groups(topic)).slice(0, LABEL_LIMITS.groupsOfTopic)) {
    const group = await groupOf(streams, topic, name).catch(nullWhereGone);
    if (group) groups.push(group);
  }
  return { messages, groups };
}

/** It was removed meanwhile. */
function nullWhereGone(error: unknown): null {
  if (isMillraceError(error) && ['UNKNOWN_TOPIC', 'UNKNOWN_GROUP', 'REMOVED'].includes(error.code)) return null;
  throw error;
}

/** Null for a group that is there nowhere: its members make it again. */
async function groupOf(streams: Streams, topic: TopicDefinition, group: string): Promise<GroupSample | null> {
  const states = (await streams.inspector.partitions(topic, group)).filter((state): state is GroupState => state !== null);
  if (states.length === 0) return null;
  const members = (await streams.groups.members(topic, group)).filter(({ state }) => state === 'present').length;
  const { lag, lagSeconds, pending, retrying, deadLetters } = sumStates(states);
  return { topic: topic.name, group, lag, lagSeconds, pending, retrying, members, deadLetters };
}
