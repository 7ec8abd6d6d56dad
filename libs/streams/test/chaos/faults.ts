import {
  crashRedis, drawKinds, freeze, freezeRedis, loseReply, oneOf, type Place, refuse, swallow, type TcpProxy,
} from '@millrace/testing';
import type { ChaosGround } from './chaos-ground.js';
import type { Workers } from './workers.js';
import type { WorkerProcess } from './worker-process.js';

export interface Scene {
  readonly ground: ChaosGround;
  readonly workers: Workers;
  /** The networks of the publishers. */
  readonly publishing: readonly TcpProxy[];
  readonly leaseMs: number;
  readonly random: () => number;
}

/** A fault begins, lasts, and ends by itself; a process that ended is replaced. */
type Fault = (scene: Scene) => Promise<unknown>;

const someone = ({ workers, random }: Scene): Place<WorkerProcess> => oneOf(workers.places, random);
const workersProxy = (scene: Scene): TcpProxy => someone(scene).proxy;
const publishersProxy = ({ publishing, random }: Scene): TcpProxy => oneOf(publishing, random);

/** The connection of this command may be gone by an earlier fault: that is no error of the suite. */
async function command({ ground }: Scene, ...words: [string, ...string[]]): Promise<void> {
  await ground.command(...words).catch(() => undefined);
}

const FAULTS = {
  workerKill: (scene) => scene.workers.kill(someone(scene)),
  workerStop: (scene) => scene.workers.stop(someone(scene)),
  workerFreeze: (scene) => freeze(someone(scene).process, scene.leaseMs, scene.random),
  workerReset: async (scene) => workersProxy(scene).reset(),
  workerLostReply: (scene) => loseReply(workersProxy(scene)),
  workerRefused: (scene) => refuse(workersProxy(scene), scene.random),
  workerSilence: (scene) => swallow(workersProxy(scene), scene.random),
  workerClock: async (scene) => someone(scene).process.signal('SIGUSR2'),
  publisherReset: async (scene) => publishersProxy(scene).reset(),
  publisherLostReply: (scene) => loseReply(publishersProxy(scene)),
  publisherSilence: (scene) => swallow(publishersProxy(scene), scene.random),
  redisKill: ({ ground }) => crashRedis(ground.server),
  redisFreeze: ({ ground, random }) => freezeRedis(ground.server, random),
  redisClock: ({ ground, random }) => ground.stepClock(random),
  clientKill: (scene) => command(scene, 'CLIENT', 'KILL', 'TYPE', 'normal'),
  scriptFlush: (scene) => command(scene, 'SCRIPT', 'FLUSH'),
} satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;

export function strike(kind: FaultKind, scene: Scene): Promise<unknown> {
  return FAULTS[kind](scene);
}

/** Draws faults in their order: each kind at least once if there are so many. */
export function drawFaults(count: number, random: () => number, canStepRedis: boolean): FaultKind[] {
  const all = Object.keys(FAULTS) as FaultKind[];
  return drawKinds(all.filter((kind) => kind !== 'redisClock' || canStepRedis), count, random);
}
