import type { TcpProxy } from '@millrace/testing';
import type { ChaosGround } from './chaos-ground.js';
import type { Crew, Place } from './crew.js';

export interface Scene {
  readonly ground: ChaosGround;
  readonly crew: Crew;
  /** The networks of the publishers. */
  readonly publishing: readonly TcpProxy[];
  readonly leaseMs: number;
  readonly random: () => number;
}

/** A fault begins, lasts, and ends by itself; a process that ended is replaced. */
type Fault = (scene: Scene) => Promise<unknown>;

const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const shortly = ({ random }: Scene): Promise<void> => lasting(20 + random() * 300);
const oneOf = <Item>(items: readonly Item[], random: () => number): Item => items[Math.floor(random() * items.length)]!;
const someone = ({ crew, random }: Scene): Place => oneOf(crew.places, random);
const workersProxy = (scene: Scene): TcpProxy => someone(scene).proxy;
const publishersProxy = ({ publishing, random }: Scene): TcpProxy => oneOf(publishing, random);

/** Redis executes a command, and its client never hears of it. */
async function loseReply(proxy: TcpProxy): Promise<void> {
  // A reply may never come: then the fault is over all the same.
  await Promise.race([proxy.dropReplies(), lasting(1_000)]);
  await proxy.pass();
}

async function refuse(proxy: TcpProxy, scene: Scene): Promise<void> {
  await proxy.refuse();
  await shortly(scene);
  await proxy.pass();
}

async function swallow(proxy: TcpProxy, scene: Scene): Promise<void> {
  proxy.blackHole();
  await shortly(scene);
  // Bytes that were swallowed are lost, not late.
  proxy.reset();
  await proxy.pass();
}

async function freezeWorker(scene: Scene): Promise<void> {
  const { worker } = someone(scene);
  worker.signal('SIGSTOP');
  // Others take it for dead after a lease, and then need some time to take over.
  await lasting(scene.leaseMs * (1.2 + scene.random() * 2));
  worker.signal('SIGCONT');
}

async function freezeRedis({ ground, random }: Scene): Promise<void> {
  ground.server.pause();
  // Shorter and longer than the time-out of commands.
  await lasting(random() < 0.7 ? 200 : 2_500);
  ground.server.resume();
}

async function killRedis({ ground }: Scene): Promise<void> {
  await ground.server.kill();
  await ground.server.restart();
}

/** The connection of this command may be gone by an earlier fault: that is no error of the suite. */
async function command({ ground }: Scene, ...words: [string, ...string[]]): Promise<void> {
  await ground.command(...words).catch(() => undefined);
}

const FAULTS = {
  workerKill: (scene) => scene.crew.kill(someone(scene)),
  workerStop: (scene) => scene.crew.stop(someone(scene)),
  workerFreeze: freezeWorker,
  workerReset: async (scene) => workersProxy(scene).reset(),
  workerLostReply: (scene) => loseReply(workersProxy(scene)),
  workerRefused: (scene) => refuse(workersProxy(scene), scene),
  workerSilence: (scene) => swallow(workersProxy(scene), scene),
  workerClock: async (scene) => someone(scene).worker.signal('SIGUSR2'),
  publisherReset: async (scene) => publishersProxy(scene).reset(),
  publisherLostReply: (scene) => loseReply(publishersProxy(scene)),
  publisherSilence: (scene) => swallow(publishersProxy(scene), scene),
  redisKill: killRedis,
  redisFreeze: freezeRedis,
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
  const kinds = shuffled(all.filter((kind) => kind !== 'redisClock' || canStepRedis), random);
  return shuffled(Array.from({ length: count }, (_, index) => kinds[index] ?? oneOf(kinds, random)), random);
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items.map((item) => ({ item, at: random() })).sort((one, other) => one.at - other.at).map(({ item }) => item);
}
