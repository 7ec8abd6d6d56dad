import type { Page } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { type ListedTopic, listTopicsThatAnswer } from '../topics/list-topics.js';
import type { WorstLag } from '../topics/topic-summary.js';
import { redisHealth, type RedisHealth } from './redis-health.js';

/** A group that is furthest behind on its topic. */
export interface GroupBehind extends WorstLag {
  readonly topic: string;
}

export interface Overview {
  readonly redis: RedisHealth;
  readonly topics: number;
  /** Sums over topics, by their names. */
  readonly sums: {
    /** Topics that were counted. */
    readonly topics: number;
    /** Whether all were: the look at many is bounded, and a node of a Cluster may be away. */
    readonly complete: boolean;
    readonly messages: number;
    readonly delayed: number;
    readonly groups: number;
    readonly deadLetters: number;
  };
  /** The group of each counted topic that is furthest behind: the 5 of them by time, of which an unknown one is the most. */
  readonly worstLags: readonly GroupBehind[];
}

const MOST_WORST = 5;

/**
 * The health of Redis, and sums over the first page of topics: without those that lie on a node which is away.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED: no server answers, or the one that has the index of topics does not
 */
export async function overview(parts: UseCaseParts): Promise<Overview> {
  const { inspector } = parts.streams;
  const [redis, topics, page] = await Promise.all([redisHealth(parts), inspector.topics(), listTopicsThatAnswer(parts)]);
  const behind = page.items.flatMap(({ name, worstLag: lag }) => (lag && lag.messages > 0 ? [{ topic: name, ...lag }] : []));
  const seconds = (lag: WorstLag): number => lag.seconds ?? Number.MAX_VALUE;
  const worstLags = behind.sort((one, other) => seconds(other) - seconds(one)).slice(0, MOST_WORST);
  return { redis, topics: topics.length, sums: sumsOf(page), worstLags };
}

function sumsOf({ items, complete }: Page<ListedTopic>): Overview['sums'] {
  const counted = items.filter(({ messages }) => messages !== null);
  const sum = (pick: (one: ListedTopic) => number | null): number => counted.reduce((all, one) => all + (pick(one) ?? 0), 0);
  return {
    topics: counted.length, complete: complete && counted.length === items.length,
    messages: sum(({ messages }) => messages),
    delayed: sum(({ delayed }) => delayed),
    groups: sum(({ groups }) => groups),
    deadLetters: sum(({ deadLetters }) => deadLetters),
  };
}
