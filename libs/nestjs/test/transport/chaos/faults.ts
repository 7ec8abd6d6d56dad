import { drawKinds, oneOf, type SiteFaults } from '@millrace/testing';
import { ACCIDENTS, type Accident, befall, type Circumstances } from '../../chaos/accidents.js';
import type { ProcessCrew } from '../../chaos/crews.js';

export interface Scene extends Circumstances {
  readonly crews: Readonly<Record<'client' | 'server', ProcessCrew>>;
  readonly servers: SiteFaults;
}

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, { random, servers, crews }: Scene): string[] {
  const ofProcesses = Object.keys(crews).flatMap((role) => ACCIDENTS.map((accident) => `${role}: ${accident}`));
  return drawKinds([...Object.keys(servers), ...ofProcesses], count, random);
}

/** Faults begin, last, and end by themselves; a process that ended is replaced. */
export async function strike(fault: string, scene: Scene): Promise<unknown> {
  const ofServer = scene.servers[fault];
  if (ofServer) return ofServer();
  const [role, accident] = fault.split(': ') as [keyof Scene['crews'], Accident];
  const crew = scene.crews[role];
  return befall({ crew, place: oneOf(crew.places, scene.random) }, accident, scene);
}
