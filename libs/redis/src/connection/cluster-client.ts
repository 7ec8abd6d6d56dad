import { asError, messageOf } from '@millrace/core';
import { Cluster, type ClusterOptions, type Command, type Redis, type RedisOptions } from 'ioredis';
import { hearingOptions } from './hearing-connectors.js';
import { addressIn, nodeNameOf, type RedisAddress } from './redis-address.js';
import { redisFailure, shownText } from './redis-failure.js';
import { type ClusterTarget, credentialsOf, type RedisTls, trustFor } from './redis-target.js';

/** How often, and for how long at the most, a node is asked who has which slot. */
const SLOTS_MS = 1_000;

const NO_NODES = 'the nodes have no slots, or announce no addresses, as CLUSTER SLOTS shows';
/** ioredis says this when no node told of the slots; {@link ClusterClient} says why none did. */
const NONE_TOLD = 'Failed to refresh slots cache.';
/** Most nodes in a message. */
const MOST_NODES = 6;

/** ioredis takes more options of a node than its types say, and they win over those of all nodes. */
type NodeOptions = RedisAddress & Pick<RedisOptions, 'tls' | 'readOnly'>;
type OwnOptions = ConstructorParameters<typeof Cluster<'legacy'>>[1];

/**
 * ioredis's own client of a Redis Cluster, which is connected when it is first used: whoever asks for it disconnects it. While it
 * cannot connect it says why, as the event `error` after each attempt; ioredis keeps what nodes say to itself. It connects again
 * by any node that it has found: those that were named may be gone by then.
 */
export class ClusterClient extends Cluster {
  readonly #named: readonly NodeOptions[];
  /** ioredis reads this very list at each attempt: the nodes that were named, and those that were found last. */
  readonly #starts: NodeOptions[];
  #reason: string | null = null;
  #connecting: Promise<void> | null = null;

  constructor(nodes: readonly NodeOptions[], options: ClusterOptions) {
    const starts = [...nodes];
    super(starts, options as OwnOptions);
    this.#named = nodes;
    this.#starts = starts;
    const alike = (others?: NodeOptions[], changes?: ClusterOptions): ClusterClient =>
      new ClusterClient(others?.length ? others : [...starts], { ...this.options, ...changes });
    this.duplicate = alike as Cluster['duplicate'];
    this.on('+node', (node: Redis) => this.#follow(node));
    this.on('refresh', () => this.#learn());
    this.on('node error', (error: Error) => this.#remember(error));
    this.on('ready', () => (this.#reason = null));
    this.on('reconnecting', () => this.#tell());
    this.on('end', () => this.#lookNoMore());
  }

  /** Resolves with the first attempt that succeeds, as a client of one server does. ioredis's promise may never settle. */
  override connect(): Promise<void> {
    if (this.status === 'ready') return Promise.resolve();
    // Each attempt that fails is followed by another one, or by the end.
    super.connect().catch(() => undefined);
    this.#connecting ??= this.#untilReady().finally(() => (this.#connecting = null));
    return this.#connecting;
  }

  /** Before it is ready, ioredis asks a node by CLUSTER INFO, and begins again when that fails. */
  override sendCommand(...sent: Parameters<Cluster['sendCommand']>): unknown {
    const [command] = sent;
    if (command.name === 'cluster') this.#hear(command);
    return super.sendCommand(...sent);
  }

  /** A look that was under way at a disconnect plans the next one: that would keep the process for ever. */
  override refreshSlotsCache(...[heard]: Parameters<Cluster['refreshSlotsCache']>): void {
    super.refreshSlotsCache((...told) => {
      heard?.(...told);
      if (this.status === 'end') this.#lookNoMore();
    });
  }

  /** Each attempt that fails is told of once, by {@link #tell}. */
  override emit(event: string | symbol, ...told: unknown[]): boolean {
    const isEmpty = event === 'error' && messageOf(asError(told[0])) === NONE_TOLD;
    return isEmpty || super.emit(event, ...told);
  }

  #lookNoMore(): void {
    clearTimeout(this['slotsTimer'] as NodeJS.Timeout);
    this['slotsTimer'] = null;
  }

  /** The look at the slots that succeeded last knows all nodes, also those that joined since. */
  #learn(): void {
    const found = this.nodes().map(startOf);
    if (found.length === 0) this.#remember(new Error(NO_NODES));
    else this.#starts.splice(0, this.#starts.length, ...this.#named, ...found);
  }

  /** ioredis asks for slots over a copy of a connection, and lets nobody know why that could not be made. */
  #follow(node: Redis): void {
    const { host = '' } = node.options;
    const copyOf = node.duplicate.bind(node);
    node.duplicate = (changes?: RedisOptions): Redis =>
      namingHosts(copyOf(changes), host).on('error', (error: Error) => this.#remember(error));
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void) => (): void => {
        this.off('ready', ready).off('end', end);
        outcome();
      };
      const ready = settle(resolve);
      const end = settle(() => reject(new Error(this.#reason ?? 'Connection is closed.')));
      this.on('ready', ready).on('end', end);
    });
  }

  #hear({ promise }: Command): void {
    promise.then(
      (reply) => String(reply).includes('cluster_state:fail') && this.#remember(new Error('CLUSTERDOWN cluster_state:fail')),
      (error: unknown) => this.#remember(asError(error)),
    );
  }

  /** That a connection has ended only follows from an earlier error. */
  #remember(error: Error): void {
    if (this.status === 'ready') return;
    const text = shownText(messageOf(error));
    if (this.#reason === null || !text.startsWith('Connection is closed')) this.#reason = text;
  }

  #tell(): void {
    if (this.#reason === null || this.listenerCount('error') === 0) return;
    this.emit('error', new Error(`${this.#reason}${adviceOn(this.#reason, this.#starts)}`));
  }
}

/** @returns nothing for a refusal, which says itself what is missing */
function adviceOn(reason: string, asked: readonly NodeOptions[]): string {
  const { kind } = redisFailure(new Error(reason), 'Connecting');
  if (kind === 'fatal') return '';
  if (kind === 'unavailable') return '. Nodes of the Cluster answer and do not serve: see by redis-cli --cluster check which slots have no primary, and start it';
  const names = [...new Set(asked.map(nodeNameOf))];
  const more = names.length > MOST_NODES ? ` and ${names.length - MOST_NODES} more` : '';
  const known = `${names.slice(0, MOST_NODES).join(', ')}${more}`;
  return `. No node of the Cluster that is known here tells of its slots: ${known}. Start one of them, or name others in REDIS_CLUSTER_NODES and start this process again`;
}

type Heard = (error: Error | null | undefined, reply: unknown) => void;
type AskForSlots = (what: string, heard: Heard) => unknown;
type SlotRange = [first: number, last: number, ...nodes: [host: string | null, ...rest: unknown[]][]];

/** A node that announces no host is reached at that of the one that tells of it; ioredis would pass over it. */
function namingHosts(redis: Redis, host: string): Redis {
  const ask = redis.cluster.bind(redis) as AskForSlots;
  const cluster: AskForSlots = (what, heard) =>
    ask(what, (error, reply) => heard(error, error ? reply : withHost(reply as SlotRange[], host)));
  redis.cluster = cluster as Redis['cluster'];
  return redis;
}

function withHost(ranges: readonly SlotRange[], host: string): SlotRange[] {
  return ranges.map(([first, last, ...nodes]) =>
    [first, last, ...nodes.map(([own, ...rest]): [string, ...unknown[]] => [own === null || own === '' || own === '?' ? host : own, ...rest])]);
}

/**
 * For libraries that bring their own clients, as BullMQ does. It sends commands again by itself, also some that may have been
 * executed: nothing else of Millrace goes over it.
 *
 * @param redisOptions of its connections to nodes
 */
export function clusterClient({ cluster, ...login }: ClusterTarget, redisOptions: RedisOptions): ClusterClient {
  const { nodes, natMap = {} } = cluster;
  const [{ host: anyHost }] = nodes as [RedisAddress];
  const wayTo = (nodeName: string): NodeOptions => {
    const { host, port } = natMap[nodeName] ?? addressIn(nodeName);
    // A redirect to a node that announces no host.
    return nodeOptions({ host: host || anyHost, port }, login.tls);
  };
  return new ClusterClient(nodes.map((node) => wayTo(nodeNameOf(node))), {
    lazyConnect: true,
    slotsRefreshInterval: SLOTS_MS,
    slotsRefreshTimeout: SLOTS_MS,
    // By default ioredis puts addresses in the place of the names, which certificates hold.
    dnsLookup: (host, done) => done(null, host),
    natMap: wayTo,
    redisOptions: hearingOptions({ ...redisOptions, ...credentialsOf(login) }),
  });
}

/** The way to a node that was found, on which names are mapped already. It begins in the role that it had. */
function startOf({ options: { host = '', port = 0, tls, readOnly = false } }: Redis): NodeOptions {
  return { host, port, readOnly, ...(tls ? { tls: { ...tls } } : {}) };
}

function nodeOptions({ host, port }: RedisAddress, tls: RedisTls | undefined): NodeOptions {
  return { host, port, ...(tls ? { tls: trustFor(host, tls) } : {}) };
}

export function isClusterClient(value: unknown): value is ClusterClient {
  return value instanceof ClusterClient;
}
