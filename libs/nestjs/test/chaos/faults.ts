import { drawKinds, oneOf } from '@millrace/testing';
import { ACCIDENTS, type Accident, befall, endsProcess } from './accidents.js';
import { dieAt, type ProcessCrew } from './crews.js';
import { type Point, POINTS, type Role } from './points.js';
import type { Strikes } from './strikes.js';

export interface Scene {
  readonly crews: Readonly<Record<Role, ProcessCrew>>;
  readonly leaseMs: number;
  readonly strikes: Strikes;
  /** Takes the points that no process came to in time. */
  readonly missed: Point[];
  readonly random: () => number;
}

const ROLES = Object.keys(POINTS) as Role[];

export type Fault = `${Role}: ${Accident}` | Point;

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
  const { crews, random, missed } = scene;
  const role = ROLES.find((each) => fault.startsWith(`${each}: `) || (POINTS[each] as readonly string[]).includes(fault))!;
  const crew = crews[role];
  const place = oneOf(crew.places, random);
  if (isPoint(fault)) {
    if (!(await dieAt(crew, place, fault))) missed.push(fault);
    return;
  }
  const accident = fault.slice(role.length + 2) as Accident;
  const befallen = (): Promise<void> => befall({ crew, place }, accident, scene);
  await (endsProcess(accident) ? befallen() : scene.strikes.during(place.process, befallen));
}

function isPoint(fault: Fault): fault is Point {
  return ROLES.some((role) => (POINTS[role] as readonly string[]).includes(fault));
}
