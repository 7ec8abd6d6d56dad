import { drawKinds, freeze, loseReply, oneOf, type Place, refuse, type SiteFaults, swallow, type ToldProcess } from '@millrace/testing';
import type { ProcessCrew } from './calling.js';

type Role = 'caller' | 'server';

export interface Scene {
  readonly servers: SiteFaults;
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
  Reset: async ({ place }) => place.network.reset(),
  LostReply: ({ place }) => loseReply(place.network),
  Refused: ({ place, random }) => refuse(place.network, random),
  Silence: ({ place, random }) => swallow(place.network, random),
} satisfies Record<string, (target: Target) => Promise<unknown>>;

type ProcessFault = keyof typeof PROCESS_FAULTS;

const PROCESS_KINDS = (Object.keys(PROCESS_FAULTS) as ProcessFault[]).flatMap((fault) => [`caller${fault}`, `server${fault}`]);

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, { random, servers }: Pick<Scene, 'random' | 'servers'>): string[] {
  return drawKinds([...Object.keys(servers), ...PROCESS_KINDS], count, random);
}

export function strike(kind: string, scene: Scene): Promise<unknown> {
  const role = kind.startsWith('caller') ? 'caller' : 'server';
  const crew = scene.crews[role];
  const fault = PROCESS_FAULTS[kind.slice(role.length) as ProcessFault];
  return scene.servers[kind]?.() ?? fault({ ...scene, crew, place: oneOf(crew.places, scene.random) });
}
