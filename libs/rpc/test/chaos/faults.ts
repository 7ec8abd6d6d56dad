import {
  crashRedis, drawKinds, freeze, freezeRedis, loseReply, oneOf, type Place, refuse, swallow, type TestRedis,
} from '@millrace/testing';
import type { ProcessCrew } from './calling.js';
import type { ToldProcess } from './told-process.js';

type Role = 'caller' | 'server';

export interface Scene {
  readonly server: TestRedis;
  /** One command to Redis, past the tested code. */
  readonly command: (name: string, ...args: string[]) => Promise<unknown>;
  readonly crews: Readonly<Record<Role, ProcessCrew>>;
  readonly leaseMs: number;
  readonly random: () => number;
}

interface Target extends Scene {
  readonly crew: ProcessCrew;
  readonly place: Place<ToldProcess>;
}

/** Faults of one process or of its network. They begin, last, and end by themselves; a process that ended is replaced. */
const PROCESS_FAULTS = {
  Kill: ({ crew, place }) => crew.kill(place),
  Stop: ({ crew, place }) => crew.stop(place),
  Freeze: ({ place, leaseMs, random }) => freeze(place.process, leaseMs, random),
  Reset: async ({ place }) => place.proxy.reset(),
  LostReply: ({ place }) => loseReply(place.proxy),
  Refused: ({ place, random }) => refuse(place.proxy, random),
  Silence: ({ place, random }) => swallow(place.proxy, random),
} satisfies Record<string, (target: Target) => Promise<unknown>>;

const REDIS_FAULTS = {
  redisKill: ({ server }) => crashRedis(server),
  redisFreeze: ({ server, random }) => freezeRedis(server, random),
  // The connection of the command may be gone by an earlier fault: that is no error of the suite.
  clientKill: ({ command }) => command('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => undefined),
  scriptFlush: ({ command }) => command('SCRIPT', 'FLUSH').catch(() => undefined),
} satisfies Record<string, (scene: Scene) => Promise<unknown>>;

type RedisFault = keyof typeof REDIS_FAULTS;
type ProcessFault = keyof typeof PROCESS_FAULTS;
export type FaultKind = RedisFault | `${Role}${ProcessFault}`;

const KINDS: readonly FaultKind[] = [
  ...(Object.keys(REDIS_FAULTS) as RedisFault[]),
  ...(Object.keys(PROCESS_FAULTS) as ProcessFault[]).flatMap((fault) => [`caller${fault}`, `server${fault}`] as const),
];

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, random: () => number): FaultKind[] {
  return drawKinds(KINDS, count, random);
}

export function strike(kind: FaultKind, scene: Scene): Promise<unknown> {
  if (kind in REDIS_FAULTS) return REDIS_FAULTS[kind as RedisFault](scene);
  const role = kind.startsWith('caller') ? 'caller' : 'server';
  const crew = scene.crews[role];
  return PROCESS_FAULTS[kind.slice(role.length) as ProcessFault]({ ...scene, crew, place: oneOf(crew.places, scene.random) });
}
