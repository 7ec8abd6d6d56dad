import type { TcpProxy } from '@millrace/testing';
import type { Bed } from '../bed.js';
import type { Crew, Place } from './crew.js';

export interface Scene {
  readonly bed: Bed;
  readonly crew: Crew;
  /** The network of the publisher. */
  readonly publishing: TcpProxy;
  readonly leaseMs: number;
  readonly random: () => number;
}

/** A fault begins, lasts, and ends by itself; a process that ended is replaced. */
type Fault = (scene: Scene) => Promise<unknown>;

const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const shortly = ({ random }: Scene): Promise<void> => lasting(20 + random() * 300);
const someone = ({ crew, random }: Scene): Place => crew.places[Math.floor(random() * crew.places.length)]!;

/** A network is reset, loses replies, refuses, or swallows everything. */
async function breakNetwork(proxy: TcpProxy, scene: Scene): Promise<void> {
  const kind = Math.floor(scene.random() * 4);
  if (kind === 0) proxy.reset();
  // A reply may never come: then the fault is over all the same.
  if (kind === 1) await Promise.race([proxy.dropReplies(), lasting(1_000)]);
  if (kind === 2) await proxy.refuse();
  if (kind === 3) proxy.blackHole();
  if (kind >= 2) await shortly(scene);
  // Bytes that were swallowed are lost, not late.
  if (kind === 3) proxy.reset();
  await proxy.pass();
}

async function freezeWorker(scene: Scene): Promise<void> {
  const { worker } = someone(scene);
  worker.signal('SIGSTOP');
  await lasting(scene.leaseMs * 1.5);
  worker.signal('SIGCONT');
}

async function freezeRedis(scene: Scene): Promise<void> {
  scene.bed.server.pause();
  // Shorter and longer than the time-out of commands.
  await lasting(scene.random() < 0.7 ? 200 : 2_500);
  scene.bed.server.resume();
}

async function crashRedis({ bed }: Scene): Promise<void> {
  await bed.server.kill();
  await bed.server.restart();
}

/** The connection of this command may be gone by an earlier fault: that is no error of the suite. */
async function command(scene: Scene, ...words: [string, ...string[]]): Promise<void> {
  await scene.bed.command(...words).catch(() => undefined);
}

const FAULTS: Readonly<Record<string, Fault>> = {
  network: (scene) => breakNetwork(someone(scene).proxy, scene),
  publishing: (scene) => breakNetwork(scene.publishing, scene),
  kill: (scene) => scene.crew.kill(someone(scene)),
  sigterm: (scene) => scene.crew.stop(someone(scene)),
  freeze: freezeWorker,
  redisCrash: crashRedis,
  redisFreeze: freezeRedis,
  clientKill: (scene) => command(scene, 'CLIENT', 'KILL', 'TYPE', 'normal'),
  scriptFlush: (scene) => command(scene, 'SCRIPT', 'FLUSH'),
};

/** Weights of the faults. */
const MIX = ['network', 'network', 'network', 'publishing', 'publishing', 'kill', 'sigterm', 'freeze', 'redisCrash', 'redisFreeze', 'clientKill', 'scriptFlush'];

/** @returns the name of the fault */
export async function strike(scene: Scene): Promise<string> {
  const name = MIX[Math.floor(scene.random() * MIX.length)]!;
  await FAULTS[name]!(scene);
  return name;
}
