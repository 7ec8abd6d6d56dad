import { fieldOf } from '@millrace/redis';
import { auditKey } from '../keys.js';
import type { Page } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';
import { type ListedTopic, listTopics } from '../topics/list-topics.js';
import type { WorstLag } from '../topics/topic-summary.js';

/** The server that this process asks, and what is not as it must be. In a Cluster it is the node that has the audit stream. */
export interface RedisHealth {
  /** `Redis 7.0.15`. */
  readonly product: string;
  readonly version: string;
  /** Anything but `noeviction` lets Redis throw messages away; null when the server does not say. */
  readonly evictionPolicy: string | null;
  /** Whether it has an append-only file; null when the server does not say. */
  readonly appendOnly: boolean | null;
  readonly usedBytes: number | null;
  /** Null without a limit. */
  readonly maxBytes: number | null;
  readonly connectedClients: number | null;
  readonly uptimeSeconds: number | null;
  /** A sentence or two for each thing that is to be mended. */
  readonly concerns: readonly string[];
}

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
    /** Whether all were: the look at many is bounded. */
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

const NEARLY_FULL = 0.8;

/** The health of Redis, and sums over the first page of topics. */
export async function overview(parts: UseCaseParts): Promise<Overview> {
  const { redis, prefix, streams } = parts;
  const [info, topics, page] = await Promise.all([
    redis.controlFor(auditKey(prefix)).call('INFO').then(String),
    streams.inspector.topics(),
    listTopics(parts, { limit: 500 }),
  ]);
  const behind = page.items.flatMap(({ name, worstLag: lag }) => (lag && lag.messages > 0 ? [{ topic: name, ...lag }] : []));
  const seconds = (lag: WorstLag): number => lag.seconds ?? Number.MAX_VALUE;
  const worstLags = behind.sort((one, other) => seconds(other) - seconds(one)).slice(0, MOST_WORST);
  return { redis: healthOf(info, redis.server), topics: topics.length, sums: sumsOf(page), worstLags };
}

function sumsOf({ items, complete }: Page<ListedTopic>): Overview['sums'] {
  const sum = (pick: (topic: ListedTopic) => number | null): number => items.reduce((all, topic) => all + (pick(topic) ?? 0), 0);
  return {
    topics: items.length, complete,
    messages: sum(({ messages }) => messages),
    delayed: sum(({ delayed }) => delayed),
    groups: sum(({ groups }) => groups),
    deadLetters: sum(({ deadLetters }) => deadLetters),
  };
}

function healthOf(info: string, server: UseCaseParts['redis']['server']): RedisHealth {
  const evictionPolicy = fieldOf(info, 'maxmemory_policy');
  const appendOnly = isOn(fieldOf(info, 'aof_enabled'));
  const [usedBytes, limit] = [numberOf(fieldOf(info, 'used_memory')), numberOf(fieldOf(info, 'maxmemory'))];
  const maxBytes = limit === 0 ? null : limit;
  return {
    product: server.product,
    version: fieldOf(info, 'redis_version') ?? server.version,
    evictionPolicy, appendOnly, usedBytes, maxBytes,
    connectedClients: numberOf(fieldOf(info, 'connected_clients')),
    uptimeSeconds: numberOf(fieldOf(info, 'uptime_in_seconds')),
    concerns: [...server.concerns, ...concernsAbout({ evictionPolicy, appendOnly, usedBytes, maxBytes })],
  };
}

type Figures = Pick<RedisHealth, 'evictionPolicy' | 'appendOnly' | 'usedBytes' | 'maxBytes'>;

function concernsAbout({ evictionPolicy, appendOnly, usedBytes, maxBytes }: Figures): string[] {
  const isEvicting = evictionPolicy !== null && evictionPolicy !== 'noeviction';
  const isNearlyFull = usedBytes !== null && maxBytes !== null && usedBytes > maxBytes * NEARLY_FULL;
  return [
    ...(isEvicting ? [`maxmemory-policy is ${evictionPolicy}: Redis throws messages away when it is full. Set it to noeviction.`] : []),
    ...(appendOnly === false ? ['There is no append-only file: a crash of Redis loses what was stored since its last snapshot. Set appendonly yes.'] : []),
    ...(isNearlyFull ? ['More than 80 % of maxmemory is used: publishes are refused when it is full. Give it more, or consume and trim what is stored.'] : []),
  ];
}

function isOn(field: string | null): boolean | null {
  return field === null ? null : field === '1';
}

function numberOf(field: string | null): number | null {
  return field === null || field === '' ? null : Number(field);
}
