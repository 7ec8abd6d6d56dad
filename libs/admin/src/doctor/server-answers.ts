import { fieldOf, type RedisConnection } from '@millrace/redis';

/** All that a server says of itself; managed ones refuse parts of it. */
export interface ServerAnswers {
  /** The field of INFO; null when it is not there. */
  readonly field: (name: string) => string | null;
  /** The setting of CONFIG GET; null when it is not told. */
  readonly setting: (name: string) => string | null;
  /** CLUSTER INFO; null outside a Cluster. */
  readonly cluster: string | null;
  /** The clock of Redis minus the one of this process, in milliseconds. */
  readonly skewMs: number;
  /** How exact {@link skewMs} is. */
  readonly skewWithinMs: number;
  /** Scripts that took long, by the slow log; null when it is not told. */
  readonly slowScripts: readonly SlowScript[] | null;
}

export interface SlowScript {
  readonly at: Date;
  readonly tookMs: number;
}

const SETTINGS = ['timeout', 'appendfsync', 'save', 'min-replicas-to-write', 'cluster-require-full-coverage'] as const;
const SLOW_READ = 128;

/** @throws RedisFailure when the server cannot be reached */
export async function askServer(server: RedisConnection): Promise<ServerAnswers> {
  const clock = await askClock(server);
  const info = await orNull(server.call('INFO').then(String));
  const settings = new Map<string, string>();
  for (const name of SETTINGS) {
    const [, value] = (await orNull(server.call('CONFIG', 'GET', name) as Promise<string[]>)) ?? [];
    if (value !== undefined) settings.set(name, value);
  }
  const field = (name: string): string | null => (info === null ? null : fieldOf(info, name));
  const cluster = field('cluster_enabled') === '1' ? await orNull(server.call('CLUSTER', 'INFO').then(String)) : null;
  return { field, setting: (name) => settings.get(name) ?? null, cluster, ...clock, slowScripts: await slowScripts(server) };
}

/** The server read its clock at some moment between the question and the answer. */
async function askClock(server: RedisConnection): Promise<Pick<ServerAnswers, 'skewMs' | 'skewWithinMs'>> {
  const askedAt = Date.now();
  const [seconds = '0', micros = '0'] = (await server.call('TIME')) as string[];
  const tookMs = Date.now() - askedAt;
  const redisMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
  return { skewMs: Math.round(redisMs - askedAt - tookMs / 2), skewWithinMs: Math.ceil(tookMs / 2) };
}

type SlowEntry = readonly [id: number, seconds: number, micros: number, args: readonly string[]];

async function slowScripts(server: RedisConnection): Promise<SlowScript[] | null> {
  const entries = await orNull(server.call('SLOWLOG', 'GET', SLOW_READ) as Promise<SlowEntry[]>);
  const scripts = entries?.filter(([, , , [command = '']]) => /^eval(?:sha)?(?:_ro)?$/i.test(command));
  return scripts?.map(([, seconds, micros]) => ({ at: new Date(seconds * 1_000), tookMs: micros / 1_000 })) ?? null;
}

/** Null for a command that the server refuses, or does not have. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  return answer.catch(() => null);
}
