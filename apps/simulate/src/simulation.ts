import { listen } from '@millrace/core';
import { createStreams, type GroupState, type Streams } from '@millrace/streams';
import { MemoryTopology, type VirtualTime } from '@millrace/testing';
import { setTimeout as wait } from 'node:timers/promises';
import { Crew } from './crew.js';
import { brokenPromises, type EndState } from './invariants.js';
import type { Mode } from './mode.js';
import { planOf } from './plan.js';
import { Trace } from './trace.js';
import { GROUP, PREFIX, World } from './world.js';

/** All must be done so long after the last fault. */
const DRAIN_MS = 60_000;
const LOOK_EVERY_MS = 50;
const EVENTS = ['reclaimed', 'fenced', 'lost', 'publishes-lost', 'recreated', 'loop-failed'] as const;

export interface Verdict {
  readonly seed: number;
  /** Broken promises, in words; none when all is well. */
  readonly broken: readonly string[];
  /** It covers all packets, calls of handlers, publishes and faults. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly lines: readonly string[];
}

export interface SimulateOptions {
  readonly mode: Mode;
  /** Whether the verdict has the lines of the trace. Default false. */
  readonly keepsTrace?: boolean;
}

/** One run of a seed. */
export async function simulate(time: VirtualTime, seed: number, { mode, keepsTrace = false }: SimulateOptions): Promise<Verdict> {
  const trace = new Trace(keepsTrace);
  time.reset(seed);
  const world = new World(planOf(seed, mode), time, trace);
  const stopListening = EVENTS.map((name) => listen(name, (event) => world.record(`${time.current.name} ${name} ${JSON.stringify(event)}`)));
  const broken = await runOf(world).catch((error: unknown) => [`failed: ${String((error as Error).stack)}`]);
  for (const stop of stopListening) stop();
  const virtualMs = time.nowMs;
  time.reset(0);
  return { seed, broken, hash: trace.hash, events: trace.count, virtualMs, lines: trace.lines };
}

async function runOf(world: World): Promise<string[]> {
  const { time, plan } = world;
  const failures: string[] = [];
  const failed = (error: unknown): void => void failures.push(`unhandled: ${String((error as Error).stack)}`);
  process.on('unhandledRejection', failed);
  const crew = new Crew(world);
  for (const message of plan.messages) time.after(message.atMs, () => crew.at(message.process).publish(message));
  for (const fault of plan.faults) time.after(fault.atMs, () => crew.apply(fault));
  let end: EndState | null = null;
  const watcher = time.actor('watcher');
  time.after(plan.calmAtMs, () => void watch(world, crew).then((state) => (end = state), failed), watcher);
  await time.run({ until: () => end !== null || failures.length > 0, limitMs: plan.calmAtMs + 2 * DRAIN_MS })
    .finally(() => process.off('unhandledRejection', failed));
  return [...failures, ...(end === null ? [] : brokenPromises(plan, world.history, end))];
}

/** Looks until nothing is left to do, or the time is up. */
async function watch(world: World, crew: Crew): Promise<EndState> {
  const { time, plan, server, redis } = world;
  const toRedis = (ms: number, work: () => void): (() => void) => time.after(ms, work, redis);
  const topology = new MemoryTopology(server, { name: 'watcher', network: { atServer: toRedis } });
  const streams = createStreams({ redis: topology, prefix: PREFIX, leaseMs: plan.leaseMs });
  const control = `${partitionOf(world, 0)}:group:${GROUP}:control`;
  for (;;) {
    await wait(LOOK_EVERY_MS);
    // The request of an operator who has given up may arrive behind this, and pause the group again.
    if (server.execute('HEXISTS', control, 'paused') === 1) await streams.groups.resume(world.topic, GROUP).catch(() => undefined);
    const isOver = time.nowMs > plan.calmAtMs + DRAIN_MS;
    if (!isOver && (crew.openPublishes > 0 || world.isStranded || !mayBeDrained(world))) continue;
    const group = await stateOf(streams, world);
    if (group && (isOver || isDrained(group, world))) return endStateOf(world, streams, { group, crew });
    if (isOver) throw new Error('There is no group.');
  }
}

/** To ask the inspector each time would cost more than the run. */
function mayBeDrained(world: World): boolean {
  const { server } = world;
  return partitionsOf(world).map((partition) => partitionOf(world, partition)).every((base) => {
    if (server.execute('ZCARD', `${base}:group:${GROUP}:open`) !== 0) return false;
    const groups = server.execute('EXISTS', `${base}:log`) === 1 ? (server.execute('XINFO', 'GROUPS', `${base}:log`) as unknown[][]) : [];
    // Name, consumers, pending: of each group that is there.
    return groups.every((group) => group[1] !== GROUP || group[5] === 0);
  });
}

function stateOf(streams: Streams, { topic }: World): Promise<GroupState | null> {
  return streams.inspector.group(topic, GROUP).catch(() => null);
}

function isDrained({ lag, pending, retrying }: GroupState, world: World): boolean {
  const isDelayed = (partition: number): boolean => world.server.execute('ZCARD', `${partitionOf(world, partition)}:delayed`) !== 0;
  return lag === 0 && pending === 0 && retrying === 0 && !partitionsOf(world).some(isDelayed);
}

function partitionsOf({ plan }: World): number[] {
  return Array.from({ length: plan.partitions }, (_, partition) => partition);
}

/** The first part of the keys of a partition; docs/keys-and-data.md names them. */
function partitionOf({ topic }: World, partition: number): string {
  return `${PREFIX}:{${topic.name}:${partition}}`;
}

interface AtTheEnd {
  readonly group: GroupState;
  readonly crew: Crew;
}

async function endStateOf(world: World, streams: Streams, { group, crew }: AtTheEnd): Promise<EndState> {
  const { server, plan, topic } = world;
  const stored = Array.from({ length: plan.partitions }, (_, partition) => {
    const rows = server.execute('XRANGE', `${partitionOf(world, partition)}:log`, '-', '+') as [string, string[]][];
    return rows.flatMap(([, [, text]]) => (JSON.parse(text!) as unknown[][]).map((envelope) => (envelope[5] as { v: number }).v));
  });
  const records = await streams.inspector.deadLetters(topic, GROUP, 1_000);
  const deadLetters = records.map(({ payload }) => (payload as { v: number }).v);
  return { group, stored: stored.flat(), deadLetters, records: recordsIn(world), openPublishes: crew.openPublishes };
}

/** Notes about single messages that are left. */
function recordsIn(world: World): string[] {
  return partitionsOf(world).flatMap((partition) => {
    const fields = world.server.execute('HKEYS', `${partitionOf(world, partition)}:group:${GROUP}:control`) as string[];
    return fields.filter((field) => /^(?:tried|given-up):/.test(field)).map((field) => `${partition} ${field}`);
  });
}
