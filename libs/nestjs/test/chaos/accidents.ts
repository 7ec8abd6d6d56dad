import { freeze, loseReply, type Place, refuse, swallow, type ToldProcess } from '@millrace/testing';
import type { ProcessCrew } from './crews.js';

/** Faults of one process or of its network. They begin, last, and end by themselves; a process that ended is replaced. */
export const ACCIDENTS = ['kill', 'stop', 'freeze', 'reset', 'lost reply', 'refused', 'silence'] as const;

export type Accident = (typeof ACCIDENTS)[number];

interface Victim {
  readonly crew: ProcessCrew;
  readonly place: Place<ToldProcess>;
}

export interface Circumstances {
  readonly leaseMs: number;
  readonly random: () => number;
}

export function endsProcess(accident: Accident): boolean {
  return accident === 'kill' || accident === 'stop';
}

export async function befall({ crew, place }: Victim, accident: Accident, { leaseMs, random }: Circumstances): Promise<void> {
  const { process, network } = place;
  switch (accident) {
    case 'kill': return crew.kill(place);
    case 'stop': return crew.stop(place);
    case 'freeze': return freeze(process, leaseMs, random);
    case 'reset': network.reset(); return;
    case 'lost reply': return loseReply(network);
    case 'refused': return refuse(network, random);
    case 'silence': return swallow(network, random);
  }
}
