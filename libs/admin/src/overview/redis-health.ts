import { fieldOf } from '@millrace/redis';
import { askPrimaries, type NodeAnswer } from '../nodes/ask-primaries.js';
import type { UseCaseParts } from '../parts.js';

/** The figures of one server; each is null when it does not say. */
interface Figures {
  /** Anything but `noeviction` lets Redis throw messages away. */
  readonly evictionPolicy: string | null;
  /** Whether it has an append-only file. */
  readonly appendOnly: boolean | null;
  readonly usedBytes: number | null;
  /** Null without a limit, too. */
  readonly maxBytes: number | null;
  readonly connectedClients: number | null;
  readonly uptimeSeconds: number | null;
}

/** A server that has keys. */
export interface NodeHealth extends Figures {
  /** `host:port` in a Cluster; null for one that has all keys. */
  readonly node: string | null;
  /** Null when it does not answer. */
  readonly version: string | null;
  /** Why it does not answer; null when it does. */
  readonly problem: string | null;
}

/**
 * All servers that have keys. Where there are several, it has the policy and the file of the one that is worst, the sums of
 * memory and clients, and the uptime of the youngest; what one of those that answer does not say is null.
 */
export interface RedisHealth extends Figures {
  /** `Redis 7.0.15`. */
  readonly product: string;
  readonly version: string;
  /** A sentence or two for each thing that is to be mended; in a Cluster it begins with the node. */
  readonly concerns: readonly string[];
  /** By their names: one without a Cluster. */
  readonly nodes: readonly NodeHealth[];
}

const NEARLY_FULL = 0.8;

/**
 * Asks each server that has keys.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED: none answers
 */
export async function redisHealth({ redis }: Pick<UseCaseParts, 'redis'>): Promise<RedisHealth> {
  const answers = await askPrimaries(redis, async (server) => String(await server.call('INFO')));
  const [first] = answers;
  if (first && first.error !== null && answers.every(({ error }) => error !== null)) throw first.error;
  const nodes = answers.map(nodeHealthOf);
  const { product, version, concerns } = redis.server;
  const answering = nodes.filter(({ problem }) => problem === null);
  const known = answering.length === 1 ? (answering[0]?.version ?? version) : version;
  return { product, version: known, ...worstOf(answering), concerns: [...concerns, ...nodes.flatMap(concernsAbout)], nodes };
}

function nodeHealthOf({ node, answer, error }: NodeAnswer<string>): NodeHealth {
  const field = (name: string): string | null => (answer === null ? null : fieldOf(answer, name));
  const limit = numberOf(field('maxmemory'));
  return {
    node,
    version: field('redis_version'),
    evictionPolicy: field('maxmemory_policy'),
    appendOnly: isOn(field('aof_enabled')),
    usedBytes: numberOf(field('used_memory')),
    maxBytes: limit === 0 ? null : limit,
    connectedClients: numberOf(field('connected_clients')),
    uptimeSeconds: numberOf(field('uptime_in_seconds')),
    problem: error === null ? null : error.message,
  };
}

function worstOf(nodes: readonly NodeHealth[]): Figures {
  const policies = nodes.map(({ evictionPolicy }) => evictionPolicy);
  const files = nodes.map(({ appendOnly }) => appendOnly);
  const uptimes = knownOf(nodes.map(({ uptimeSeconds }) => uptimeSeconds));
  return {
    evictionPolicy: policies.find((policy) => policy !== null && policy !== 'noeviction') ?? knownOf(policies)?.[0] ?? null,
    appendOnly: files.includes(false) ? false : (knownOf(files)?.[0] ?? null),
    usedBytes: sumOf(nodes.map(({ usedBytes }) => usedBytes)),
    maxBytes: sumOf(nodes.map(({ maxBytes }) => maxBytes)),
    connectedClients: sumOf(nodes.map(({ connectedClients }) => connectedClients)),
    uptimeSeconds: uptimes === null ? null : Math.min(...uptimes),
  };
}

function concernsAbout({ node, problem, ...figures }: NodeHealth): string[] {
  const { evictionPolicy, appendOnly, usedBytes, maxBytes } = figures;
  const isEvicting = evictionPolicy !== null && evictionPolicy !== 'noeviction';
  const isNearlyFull = usedBytes !== null && maxBytes !== null && usedBytes > maxBytes * NEARLY_FULL;
  const concerns = [
    ...(problem === null ? [] : [`It does not answer, so its keys are away: ${problem}`]),
    ...(isEvicting ? [`maxmemory-policy is ${evictionPolicy}: Redis throws messages away when it is full. Set it to noeviction.`] : []),
    ...(appendOnly === false ? ['There is no append-only file: a crash of Redis loses what was stored since its last snapshot. Set appendonly yes.'] : []),
    ...(isNearlyFull ? ['More than 80 % of maxmemory is used: publishes are refused when it is full. Give it more, or consume and trim what is stored.'] : []),
  ];
  return node === null ? concerns : concerns.map((concern) => `Node ${node}: ${concern}`);
}

/** All of them; null when there is none, or one is not known. */
function knownOf<T>(values: readonly (T | null)[]): readonly T[] | null {
  const known = values.filter((value) => value !== null);
  return known.length === values.length && known.length > 0 ? known : null;
}

function sumOf(values: readonly (number | null)[]): number | null {
  return knownOf(values)?.reduce((sum, value) => sum + value, 0) ?? null;
}

function isOn(field: string | null): boolean | null {
  return field === null ? null : field === '1';
}

function numberOf(field: string | null): number | null {
  return field === null || field === '' ? null : Number(field);
}
