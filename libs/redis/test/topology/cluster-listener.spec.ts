import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { connectRedis, type LocalCluster, type LocalServer, onServer, type RedisConnection, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';

const WAIT = { timeoutMs: 30_000 };

let site: ClusterSite;
let cluster: LocalCluster;
let topology: Topology;
const listenings: Listening[] = [];

beforeAll(async () => {
  site = await ClusterSite.start({ appendonly: 'always' });
  cluster = site.cluster;
});
beforeEach(async () => void (topology = await connectRedis({ ...site.target, name: 'spec' })));
afterEach(async () => {
  for (const node of cluster.nodes) if (node.isFrozen) node.thaw();
  for (const listening of listenings.splice(0)) listening.close();
  topology.close();
  await cluster.whenOk();
});
afterAll(() => site.stop());

/** Channels of some slots of each primary. */
async function channelsOf(count: number): Promise<Map<LocalServer, string[]>> {
  const found = new Map((await cluster.primaries()).map((node): [LocalServer, string[]] => [node, []]));
  while ([...found.values()].some(({ length }) => length < count)) {
    const channel = `{${uniqueName('slot')}}:ring`;
    const own = found.get(await cluster.primaryOf(slotOf(channel)))!;
    if (own.length < count) own.push(channel);
  }
  return found;
}

/** Subscribes as the parts of Millrace do: to all that it does not hear, whenever there is something new, and now and then. */
class Listening {
  readonly texts: string[] = [];
  /** Channels that were lost, in the order of the losses. */
  readonly losses: string[] = [];
  readonly heard = new Set<string>();
  readonly #channels: readonly string[];
  readonly #connection: RedisConnection;
  readonly #timer: NodeJS.Timeout;

  constructor(channels: readonly string[]) {
    this.#channels = channels;
    this.#connection = topology.listening('hear');
    this.#connection.watch({
      ready: () => this.#subscribe(),
      lost: (lost = channels) => {
        this.losses.push(...lost);
        for (const channel of lost) this.heard.delete(channel);
      },
      message: (_, text) => void this.texts.push(text),
    });
    this.#timer = setInterval(() => this.#subscribe(), 200);
    this.#subscribe();
  }

  get isWhole(): boolean {
    return this.heard.size === this.#channels.length;
  }

  ask(): Promise<unknown> {
    return this.#connection.call('PING');
  }

  close(): void {
    clearInterval(this.#timer);
    this.#connection.close();
  }

  #subscribe(): void {
    const missing = this.#channels.filter((channel) => !this.heard.has(channel));
    const losses = this.losses.length;
    const note = (channels: readonly string[]): void => {
      if (losses === this.losses.length) for (const channel of channels) this.heard.add(channel);
    };
    if (missing.length > 0) void this.#connection.subscribe(missing).then(note, () => undefined);
  }
}

function listen(channels: readonly string[]): Listening {
  const listening = new Listening(channels);
  listenings.push(listening);
  return listening;
}

/** How many SSUBSCRIBE a node has had, and the id of the connection of the listener to it. */
async function subscriptionsOn(node: LocalServer): Promise<{ commands: number; connection: string; channels: number }> {
  const stats = String(await onServer(node, (call) => call('INFO', 'commandstats')));
  const clients = String(await onServer(node, (call) => call('CLIENT', 'LIST'))).split('\n');
  const own = clients.filter((line) => line.includes('name=spec:hear#'));
  expect(own).toHaveLength(1);
  const [, id = '', , channels] = /^id=(\d+) (.*) ssub=(\d+) /.exec(own[0]!)!;
  return { commands: Number(/cmdstat_ssubscribe:calls=(\d+)/.exec(stats)?.[1]), connection: id, channels: Number(channels) };
}

/** Each text is heard, and in turn: none of them is late, since the next one is not sent before. */
async function eachRingIsHeard(listening: Listening, node: LocalServer, channel: string): Promise<void> {
  const text = uniqueName('ring');
  expect(await onServer(node, (call) => call('SPUBLISH', channel, text))).toBe(1);
  await waitFor(() => listening.texts.includes(text), { what: 'a ring to be heard' });
}

describe('a listener of a Cluster of which one primary is killed', () => {
  it('hears the rings of the others without interruption, and those of its successor later', async () => {
    const channels = await channelsOf(3);
    const listening = listen([...channels.values()].flat());
    await waitFor(() => listening.isWhole, { what: 'all to be heard', ...WAIT });
    const [[gone, own], ...others] = [...channels] as [[LocalServer, string[]], ...[LocalServer, string[]][]];
    const before = await Promise.all(others.map(([node]) => subscriptionsOn(node)));
    expect(before.map((each) => each.channels)).toEqual([3, 3]);
    await gone.kill();
    await waitFor(() => listening.losses.length > 0, { what: 'the loss', ...WAIT });
    const successor = async (): Promise<LocalServer | null> => {
      for (const [node, theirs] of others) for (const channel of theirs) await eachRingIsHeard(listening, node, channel);
      const present = await cluster.primaryOf(slotOf(own[0]!)).catch(() => gone);
      return listening.isWhole && present !== gone ? present : null;
    };
    const present = await waitFor(successor, { what: 'all to be heard again', ...WAIT });
    for (const channel of own) await eachRingIsHeard(listening, present, channel);
    expect(new Set(listening.losses)).toEqual(new Set(own));
    expect(await Promise.all(others.map(([node]) => subscriptionsOn(node)))).toEqual(before);
    await gone.restart();
  });

  it('loses the channels of a primary that stands still when it does not answer, and no others', async () => {
    const channels = await channelsOf(2);
    const listening = listen([...channels.values()].flat());
    await waitFor(() => listening.isWhole, { what: 'all to be heard', ...WAIT });
    const [[frozen, own], ...others] = [...channels] as [[LocalServer, string[]], ...[LocalServer, string[]][]];
    frozen.freeze();
    await listening.ask();
    expect([...new Set(listening.losses)].sort()).toEqual([...own].sort());
    for (const [node, theirs] of others) for (const channel of theirs) await eachRingIsHeard(listening, node, channel);
    frozen.thaw();
    await waitFor(() => listening.isWhole, { what: 'all to be heard again', ...WAIT });
    expect([...new Set(listening.losses)].sort()).toEqual([...own].sort());
  });
});

describe('a listener of a Cluster whose slots move', () => {
  it('hears the moved channel on its new node, and is not interrupted on nodes that lost none', async () => {
    const channels = await channelsOf(2);
    const listening = listen([...channels.values()].flat());
    await waitFor(() => listening.isWhole, { what: 'all to be heard', ...WAIT });
    const [[from, [moved, stays]], [to, theirs]] = [...channels] as [[LocalServer, [string, string]], [LocalServer, string[]]];
    await cluster.migrate([slotOf(moved)], to);
    await waitFor(async () => listening.isWhole && (await subscriptionsOn(to)).channels === 3, { what: 'the moved one to be heard', ...WAIT });
    await eachRingIsHeard(listening, to, moved);
    await eachRingIsHeard(listening, from, stays);
    for (const channel of theirs) await eachRingIsHeard(listening, to, channel);
    expect(listening.losses).toContain(moved);
    for (const channel of theirs) expect(listening.losses).not.toContain(channel);
  });
});

it('a subscription that waits for its node ends when its connection is closed', async () => {
  const [[node, [channel]]] = [...(await channelsOf(1))] as [[LocalServer, [string]]];
  node.freeze();
  const connection = topology.listening('ended');
  let heard: readonly string[] | null = null;
  const subscribing = connection.subscribe([channel]).then((names) => void (heard = names));
  await setImmediate();
  expect(heard).toBeNull();
  connection.close();
  await setImmediate();
  expect(heard).toEqual([]);
  await subscribing;
});

it('channels that wait for the connection to one node share one wait, however many they are', async () => {
  const connection = topology.listening('many');
  const tag = uniqueName('slot');
  const channels = Array.from({ length: 30 }, (_, index) => `{${tag}}:${index}`);
  const listened = jest.spyOn(EventTarget.prototype, 'addEventListener');
  const subscribing = connection.subscribe(channels);
  const waits = listened.mock.calls.filter(([type]) => type === 'abort').length;
  listened.mockRestore();
  expect(await subscribing).toEqual(channels);
  expect(waits).toBe(1);
  connection.close();
});
