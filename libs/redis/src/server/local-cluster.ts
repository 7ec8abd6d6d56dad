import { MillraceError } from '@millrace/core';
import { LocalServer, type LocalServerOptions } from './local-server.js';
import { type Call, onServer, untilTrue } from './node-command.js';

export interface LocalClusterOptions extends Pick<LocalServerOptions, 'binary' | 'appendonly' | 'tls' | 'extra' | 'env'> {
  /** Default 3. */
  readonly primaries?: number;
  /** How many each primary has. Default 1. */
  readonly replicas?: number;
  /** After so long without an answer the others take a node for failed. Default 1,500. */
  readonly nodeTimeoutMs?: number;
}

/** Slots of a node: the first and the last of a range. */
type SlotRange = readonly [first: number, last: number];

interface KnownNode {
  readonly id: string;
  readonly server: LocalServer;
  readonly isPrimary: boolean;
  /** Whether it speaks of itself. */
  readonly isItself: boolean;
  /** Grows each time that it gets slots of others. */
  readonly epoch: number;
  /** The id of the primary of a replica. */
  readonly follows: string;
  readonly slots: readonly SlotRange[];
}

const SLOTS = 16_384;
const READY_MS = 30_000;
const PAGE = 100;
const MIGRATE_MS = 5_000;

/**
 * A Redis Cluster of our own, on 127.0.0.1 and free ports. Its nodes come and go as {@link LocalServer}s. A part of it that
 * failed keeps nobody from using the rest.
 */
export class LocalCluster {
  /** Primaries first, as they were at the start. */
  readonly nodes: readonly LocalServer[];
  readonly #primaries: number;

  private constructor(nodes: readonly LocalServer[], primaries: number) {
    this.nodes = nodes;
    this.#primaries = primaries;
  }

  /**
   * Resolves when each slot has its node, each node knows all others, and replicas are in step.
   *
   * @throws MillraceError REDIS_FAILED
   */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    const { primaries = 3, replicas = 1 } = options;
    const nodes: LocalServer[] = [];
    try {
      for (let count = 0; count < primaries * (1 + replicas); count += 1) nodes.push(await startNode(options));
      const cluster = new LocalCluster(nodes, primaries);
      await cluster.#form();
      return cluster;
    } catch (error) {
      await Promise.all(nodes.map((node) => node.stop()));
      throw error;
    }
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /**
   * The node that has a slot: the one that says so of itself, since others hear of a move up to a second later; of several the
   * one that got it last. By the words of others while it is away.
   */
  async primaryOf(slot: number): Promise<LocalServer> {
    const views = await Promise.all(this.#answering.map((node) => this.#knownTo(node).catch(() => [])));
    const claims = views.flat().filter((node) => node.isPrimary && has(node, slot));
    const own = claims.filter(({ isItself }) => isItself).sort((one, other) => other.epoch - one.epoch);
    const found = own[0] ?? claims[0];
    if (!found) throw new MillraceError('REDIS_FAILED', `No node of the cluster has slot ${slot}.`);
    return found.server;
  }

  /** The nodes that have slots. */
  async primaries(): Promise<LocalServer[]> {
    return (await this.#known()).filter(({ isPrimary, slots }) => isPrimary && slots.length > 0).map(({ server }) => server);
  }

  /** The replicas of a primary. */
  async replicasOf(primary: LocalServer): Promise<LocalServer[]> {
    const known = await this.#known();
    const id = known.find(({ server }) => server === primary)?.id;
    return known.filter(({ follows }) => follows === id).map(({ server }) => server);
  }

  /** A replica takes the place of its primary, which loses nothing. Resolves when every node knows it. */
  async failover(replica: LocalServer): Promise<void> {
    await onServer(replica, (call) => call('CLUSTER', 'FAILOVER'));
    const isKnown = async (node: LocalServer): Promise<boolean> =>
      (await this.#knownTo(node)).some(({ server, isPrimary, slots }) => server === replica && isPrimary && slots.length > 0);
    await untilTrue(() => all(this.#answering, isKnown), 'the replica to be the primary', READY_MS);
  }

  /** Moves slots with their keys, under load as well. */
  async migrate(slots: readonly number[], to: LocalServer): Promise<void> {
    for (const slot of slots) {
      if ((await this.primaryOf(slot)) === to) continue;
      await this.beginMigration(slot, to);
      await this.moveKeys(slot, to);
      await this.finishMigration(slot, to);
    }
  }

  /** From now on the slot is between two nodes: its node asks the other one for keys that it does not have. */
  async beginMigration(slot: number, to: LocalServer): Promise<void> {
    const from = await this.primaryOf(slot);
    await onServer(to, async (call) => call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from)));
    await onServer(from, async (call) => call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to)));
  }

  /** Moves keys of a slot whose migration has begun. @param most how many at the most. Default: all */
  async moveKeys(slot: number, to: LocalServer, most = Number.POSITIVE_INFINITY): Promise<void> {
    const from = await this.primaryOf(slot);
    await onServer(from, async (call) => {
      for (let left = most; left > 0; ) {
        const keys = (await call('CLUSTER', 'GETKEYSINSLOT', slot, Math.min(PAGE, left))) as string[];
        if (keys.length === 0) return;
        await call('MIGRATE', '127.0.0.1', to.port, '', 0, MIGRATE_MS, 'KEYS', ...keys);
        left -= keys.length;
      }
    });
  }

  /** The slot belongs to the other node. */
  async finishMigration(slot: number, to: LocalServer): Promise<void> {
    const id = await idOf(to);
    const others = (await this.primaries()).filter((node) => node !== to);
    for (const node of [to, ...others]) await onServer(node, (call) => call('CLUSTER', 'SETSLOT', slot, 'NODE', id));
  }

  /**
   * Resolves when each node runs and is in step, each slot has its node, and all nodes say the same of all.
   *
   * @throws MillraceError REDIS_FAILED
   */
  async whenOk(timeoutMs = READY_MS): Promise<void> {
    const isWell = async (): Promise<boolean> => (await all(this.nodes, (node) => this.#isOk(node))) && (await this.#agree());
    await untilTrue(isWell, 'every node of the cluster to be ok', timeoutMs);
  }

  /** Ends all nodes and removes their folders. May be called again. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async #form(): Promise<void> {
    const [first, ...others] = this.nodes as [LocalServer, ...LocalServer[]];
    const share = SLOTS / this.#primaries;
    for (const [index, node] of this.nodes.entries()) {
      await onServer(node, async (call) => {
        await call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
        if (index < this.#primaries) await call('CLUSTER', 'ADDSLOTSRANGE', Math.round(index * share), Math.round((index + 1) * share) - 1);
      });
    }
    for (const { port, busPort } of others) await onServer(first, (call) => call('CLUSTER', 'MEET', '127.0.0.1', port, busPort!));
    const count = this.nodes.length;
    await untilTrue(() => all(this.nodes, async (node) => (await countKnownTo(node)) === count), 'every node to know the others', READY_MS);
    for (const [index, node] of this.nodes.entries()) {
      if (index >= this.#primaries) await follow(node, this.nodes[index % this.#primaries]!);
    }
    await this.whenOk();
  }

  /** By the words of the first node that answers. */
  async #known(): Promise<KnownNode[]> {
    for (const node of this.#answering) {
      const known = await this.#knownTo(node).catch(() => null);
      if (known !== null) return known;
    }
    throw new MillraceError('REDIS_FAILED', 'No node of the cluster answers.');
  }

  get #answering(): LocalServer[] {
    return this.nodes.filter(({ isRunning, isFrozen }) => isRunning && !isFrozen);
  }

  async #knownTo(node: LocalServer): Promise<KnownNode[]> {
    const text = String(await onServer(node, (call) => call('CLUSTER', 'NODES')));
    return text.trim().split('\n').flatMap((line) => this.#nodeIn(line));
  }

  #nodeIn(line: string): KnownNode[] {
    const [id = '', address = '', flags = '', follows = '', , , epoch, , ...ranges] = line.split(' ');
    const port = Number(/:(\d+)@/.exec(address)?.[1]);
    const server = this.nodes.find((node) => node.port === port);
    if (!server) return [];
    const slots = ranges.filter((range) => /^\d/.test(range)).map(rangeOf);
    const isPrimary = flags.includes('master') && !flags.includes('fail');
    return [{ id, server, isPrimary, isItself: flags.includes('myself'), epoch: Number(epoch), follows, slots }];
  }

  /** A node that has changed its role is ok before the others have heard of it. */
  async #agree(): Promise<boolean> {
    const views = await Promise.all(this.nodes.map((node) => this.#knownTo(node)));
    return new Set(views.map(viewOf)).size === 1 && views[0]?.length === this.nodes.length;
  }

  async #isOk(node: LocalServer): Promise<boolean> {
    return onServer(node, async (call) => {
      const state = String(await call('CLUSTER', 'INFO'));
      const replication = String(await call('INFO', 'replication'));
      const isWhole = state.includes('cluster_state:ok') && state.includes(`cluster_slots_ok:${SLOTS}`);
      const isKnown = !String(await call('CLUSTER', 'NODES')).includes('fail');
      return isWhole && isKnown && (replication.includes('role:master') || replication.includes('master_link_status:up'));
    });
  }
}

function has({ slots }: KnownNode, slot: number): boolean {
  return slots.some(([first, last]) => first <= slot && slot <= last);
}

function viewOf(known: readonly KnownNode[]): string {
  return known.map(({ id, isPrimary, follows, slots }) => [id, isPrimary, follows, ...slots].join(' ')).sort().join('\n');
}

async function startNode(options: LocalClusterOptions): Promise<LocalServer> {
  const { binary, appendonly, tls, extra = [], env, nodeTimeoutMs = 1_500 } = options;
  const cluster = [
    '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0', '--cluster-replica-validity-factor', '0',
  ];
  return LocalServer.start({
    binary,
    isClusterNode: true,
    extra: [...cluster, ...extra],
    ...(appendonly === undefined ? {} : { appendonly }),
    ...(tls === undefined ? {} : { tls }),
    ...(env === undefined ? {} : { env }),
  });
}

async function follow(replica: LocalServer, primary: LocalServer): Promise<void> {
  const id = await idOf(primary);
  const follows = async (call: Call): Promise<boolean> => (await call('CLUSTER', 'REPLICATE', id)) === 'OK';
  await untilTrue(() => onServer(replica, follows), 'a replica to follow', READY_MS);
}

async function idOf(node: LocalServer): Promise<string> {
  return String(await onServer(node, (call) => call('CLUSTER', 'MYID')));
}

async function countKnownTo(node: LocalServer): Promise<number> {
  const lines = String(await onServer(node, (call: Call) => call('CLUSTER', 'NODES'))).trim().split('\n');
  return lines.filter((line) => !line.includes('handshake')).length;
}

async function all<T>(items: readonly T[], holds: (item: T) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(holds))).every(Boolean);
}

function rangeOf(text: string): SlotRange {
  const [first = 0, last = first] = text.split('-').map(Number);
  return [first, last];
}
