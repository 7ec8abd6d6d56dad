import { drawKinds, freeze, loseReply, oneOf, refuse, swallow } from '@millrace/testing';
import { dieAt, type ProcessCrew } from './crews.js';
import { type Point, POINTS, type Role } from './points.js';

export interface Scene {
  readonly crews: Readonly<Record<Role, ProcessCrew>>;
  readonly leaseMs: number;
  readonly random: () => number;
}

const ROLES = Object.keys(POINTS) as Role[];
const ACCIDENTS = ['kill', 'stop', 'freeze', 'reset', 'lost reply', 'refused', 'silence'] as const;

export type Fault = `${Role}: ${(typeof ACCIDENTS)[number]}` | Point;

const KINDS: readonly Fault[] = [
  ...ROLES.flatMap((role) => ACCIDENTS.map((accident): Fault => `${role}: ${accident}`)),
  ...ROLES.flatMap((role): readonly Point[] => POINTS[role]),
];

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, random: () => number): Fault[] {
  return drawKinds(KINDS, count, random);
}

/** Faults begin, last, and end by themselves; a process that ended is replaced. */
export async function strike(fault: Fault, scene: Scene): Promise<void> {
  const { crews, leaseMs, random } = scene;
  const role = ROLES.find((each) => fault.startsWith(`${each}: `) || (POINTS[each] as readonly string[]).includes(fault))!;
  const crew = crews[role];
  const place = oneOf(crew.places, random);
  const { process, network } = place;
  switch (fault.slice(role.length + 2)) {
    case 'kill': return crew.kill(place);
    case 'stop': return crew.stop(place);
    case 'freeze': return freeze(process, leaseMs, random);
    case 'reset': { network.reset(); return; }
    case 'lost reply': return loseReply(network);
    case 'refused': return refuse(network, random);
    case 'silence': return swallow(network, random);
    default: return dieAt(crew, place, fault);
  }
}
