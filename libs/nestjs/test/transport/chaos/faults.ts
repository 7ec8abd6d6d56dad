import { drawKinds, oneOf, type SiteFaults } from '@millrace/testing';
import { ACCIDENTS, type Accident, befall, type Circumstances } from '../../chaos/accidents.js';
import type { ProcessCrew } from '../../chaos/crews.js';
import type { Fault } from './history.js';

export interface Scene extends Circumstances {
  readonly crews: Readonly<Record<'client' | 'server', ProcessCrew>>;
  readonly servers: SiteFaults;
  /** Takes the faults when they are over. */
  readonly struck: Fault[];
}

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, { random, servers, crews }: Scene): string[] {
  const ofProcesses = Object.keys(crews).flatMap((role) => ACCIDENTS.map((accident) => `${role}: ${accident}`));
  return drawKinds([...Object.keys(servers), ...ofProcesses], count, random);
}

/** Faults begin, last, and end by themselves; a process that ended is replaced. */
export async function strike(kind: string, scene: Scene): Promise<void> {
  const fromMs = Date.now();
  await befallen(kind, scene);
  scene.struck.push({ kind, fromMs, toMs: Date.now() });
}

function befallen(kind: string, scene: Scene): Promise<unknown> {
  const ofServer = scene.servers[kind];
  if (ofServer) return ofServer();
  const [role, accident] = kind.split(': ') as [keyof Scene['crews'], Accident];
  const crew = scene.crews[role];
  return befall({ crew, place: oneOf(crew.places, scene.random) }, accident, scene);
}
