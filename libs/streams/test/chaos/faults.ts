import { drawKinds, freeze, loseReply, type Network, oneOf, type Place, refuse, type SiteFaults, swallow } from '@millrace/testing';
import type { Workers } from './workers.js';
import type { WorkerProcess } from './worker-process.js';

export interface Scene {
  readonly workers: Workers;
  /** The networks of the publishers. */
  readonly publishing: readonly Network[];
  readonly servers: SiteFaults;
  readonly leaseMs: number;
  readonly random: () => number;
}

/** A fault begins, lasts, and ends by itself; a process that ended is replaced. */
type Fault = (scene: Scene) => Promise<unknown>;

const someone = ({ workers, random }: Scene): Place<WorkerProcess> => oneOf(workers.places, random);
const workersNetwork = (scene: Scene): Network => someone(scene).network;
const publishersNetwork = ({ publishing, random }: Scene): Network => oneOf(publishing, random);

const FAULTS = {
  workerKill: (scene) => scene.workers.kill(someone(scene)),
  workerStop: (scene) => scene.workers.stop(someone(scene)),
  workerFreeze: (scene) => freeze(someone(scene).process, scene.leaseMs, scene.random),
  workerReset: async (scene) => workersNetwork(scene).reset(),
  workerLostReply: (scene) => loseReply(workersNetwork(scene)),
  workerRefused: (scene) => refuse(workersNetwork(scene), scene.random),
  workerSilence: (scene) => swallow(workersNetwork(scene), scene.random),
  workerClock: async (scene) => someone(scene).process.signal('SIGUSR2'),
  publisherReset: async (scene) => publishersNetwork(scene).reset(),
  publisherLostReply: (scene) => loseReply(publishersNetwork(scene)),
  publisherSilence: (scene) => swallow(publishersNetwork(scene), scene.random),
} satisfies Record<string, Fault>;

type ProcessFault = keyof typeof FAULTS;

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, { random, servers }: Pick<Scene, 'random' | 'servers'>): string[] {
  return drawKinds([...Object.keys(FAULTS), ...Object.keys(servers)], count, random);
}

export function strike(kind: string, scene: Scene): Promise<unknown> {
  return scene.servers[kind]?.() ?? FAULTS[kind as ProcessFault](scene);
}
