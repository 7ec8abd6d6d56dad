/** The guards of a Redis of several servers: redirects, connections to slots, the primary of Sentinels, subscriptions. */

const CONNECTION = 'libs/redis/src/connection';
const TOPOLOGY = 'libs/redis/src/topology';
const LISTENER = `${TOPOLOGY}/cluster-listener.ts`;
const SLOT = `${TOPOLOGY}/slot-connection.ts`;
const CHANNELS_SPEC = 'libs/redis/test/connection/moved-channels.spec.ts';
const CLUSTER_SPEC = 'libs/redis/test/topology/cluster.spec.ts';
const CUT_OFF_SPEC = 'libs/redis/test/topology/cut-off-node.spec.ts';
const CONNECTION_SPEC = 'libs/redis/test/connection/redis-connection.spec.ts';
const MOVED_SLOTS_SPEC = 'libs/redis/test/topology/moved-slots.spec.ts';
const SENTINELS_SPEC = 'libs/redis/test/topology/sentinels.spec.ts';

const MOVED_TITLE = 'sends a command to the node that a slot has gone to, and lets its epoch grow';
const BETWEEN_TITLE = 'finds keys on either side of a slot that is between two nodes, and waits for those that are on both';
const AGAIN_TITLE = 'is lost by the listener of the whole Cluster, which hears it on the new node when it has subscribed again';

const redirecting = [
  {
    name: 'a command goes where MOVED leads',
    file: SLOT,
    find: 'const redirect = redirectOf(refusal);',
    replace: "const redirect = redirectOf(refusal)?.kind === 'ask' ? redirectOf(refusal) : null;",
    spec: CLUSTER_SPEC,
    title: MOVED_TITLE,
  },
  {
    name: 'MOVED refreshes the map of slots',
    file: `${TOPOLOGY}/cluster-nodes.ts`,
    find: "if (kind === 'moved' && this.ownerOf(slot) !== node) {",
    replace: 'if (this.#isClosed) {',
    spec: CLUSTER_SPEC,
    title: MOVED_TITLE,
  },
  {
    name: 'ASK sends ASKING',
    file: SLOT,
    find: "isAsking: redirect.kind === 'ask'",
    replace: 'isAsking: false',
    spec: CLUSTER_SPEC,
    title: BETWEEN_TITLE,
  },
  {
    name: 'ASKING comes before the text of a script, too',
    file: `${CONNECTION}/server-connection.ts`,
    find: "if (isAsking) this.#ask();\n      return await this.#redis.call('EVAL', ",
    replace: "return await this.#redis.call('EVAL', ",
    spec: CLUSTER_SPEC,
    title: BETWEEN_TITLE,
  },
  {
    name: 'a command that two nodes send to each other waits between them',
    file: SLOT,
    find: 'if (times > 1) await setTimeout(pauseMs(times - 1));\n',
    replace: '',
    spec: MOVED_SLOTS_SPEC,
    title: 'a command that two nodes send to each other is sent again less and less often, and fails in words',
  },
  {
    name: 'TRYAGAIN waits',
    file: SLOT,
    find: 'if (!redirect && !isBetweenNodes(refusal)) return null;',
    replace: 'if (!redirect) return null;',
    spec: CLUSTER_SPEC,
    title: BETWEEN_TITLE,
  },
  {
    name: 'no command waits for its slot for ever',
    file: SLOT,
    find: 'performance.now() >= end || ',
    replace: '',
    spec: CLUSTER_SPEC,
    title: 'says that nothing happened when keys stay on both sides for longer than it waits',
  },
  {
    name: 'a read that was UNBLOCKED lost nothing',
    file: SLOT,
    find: 'if (!isUnblocked(refusal)) return refusal;',
    replace: 'if (refusal) return refusal;',
    spec: CLUSTER_SPEC,
    title: 'tells a member of a group whose stream goes away that nothing happened, and not that the stream is lost',
  },
  {
    name: 'NOSCRIPT sends the text of the script',
    file: `${CONNECTION}/server-connection.ts`,
    find: "if (!asError(error).message.startsWith('NOSCRIPT')) throw",
    replace: 'if (error) throw',
    spec: CONNECTION_SPEC,
    title: 'runs on a server that does not know it, or no longer',
  },
  {
    name: 'a confirmation goes to the node that got the write',
    file: SLOT,
    find: "if (outcomes[0].status === 'rejected') throw outcomes[0].reason;\n",
    replace: '',
    spec: CLUSTER_SPEC,
    title: 'sends a confirmation to the node that got the write',
  },
];

const following = [
  {
    name: 'the epoch of a connection grows when its slot has gone to another node',
    file: SLOT,
    find: 'connection === this.#seen.connection && ',
    replace: '',
    spec: CLUSTER_SPEC,
    title: MOVED_TITLE,
  },
  {
    name: 'a connection whose slot has gone to another node is lost',
    file: SLOT,
    find: '        lost();\n',
    replace: '',
    spec: CLUSTER_SPEC,
    title: 'tells who watches it that it is lost, and ready, when its slot has gone to another node',
  },
  {
    name: 'a connection whose slot has gone to another node is ready again',
    file: SLOT,
    find: 'if (isReady && (isAnother || !wasReady)) ready();',
    replace: 'if (isReady && !wasReady) ready();',
    spec: CLUSTER_SPEC,
    title: 'tells who watches it that it is lost, and ready, when its slot has gone to another node: its connection there is there',
  },
  {
    name: 'a reader leaves the node that its slot has left',
    file: SLOT,
    find: 'if (owner !== null && this.#underWay === 0) this.#keep([owner]);',
    replace: 'if (owner === null) this.#keep([]);',
    spec: MOVED_SLOTS_SPEC,
    title: 'readers keep one connection each, however often their slots move while nobody reads',
  },
  {
    name: 'slots that one node tells anew are asked of the others, and most of them are believed',
    file: `${TOPOLOGY}/cluster-nodes.ts`,
    find: 'isSameMap(slots, this.#slots) ? slots : await this.#byMost(slots, asked)',
    replace: 'slots',
    spec: CUT_OFF_SPEC,
    title: 'is outvoted by them, while it has slots, about slots of theirs that went to a replica',
  },
  {
    name: 'the first node that tells of slots is outvoted, too',
    file: `${TOPOLOGY}/cluster-nodes.ts`,
    find: 'if (this.#slots.primaries.size === 0) await this.#meetPrimaries(slots, signal);',
    replace: '',
    spec: CUT_OFF_SPEC,
    title: 'is outvoted by them when its own slots went to its replica, also where a start knows its address alone',
  },
  {
    name: 'a node without a host has that of the node that spoke of it',
    file: `${TOPOLOGY}/slot-map.ts`,
    find: '/^:\\d+$/.test(announced) ? `${addressIn(speaker).host}${announced}` : announced',
    replace: 'announced',
    spec: 'libs/redis/test/topology/slot-map.spec.ts',
    title: 'is that of the node that spoke in a redirect without a host, also when it is of IPv6',
  },
  {
    name: 'a node of a Cluster is reached by its address in the natMap',
    file: `${TOPOLOGY}/cluster-nodes.ts`,
    find: 'natMap[node] ?? addressIn(node)',
    replace: 'addressIn(node) ?? natMap',
    spec: CLUSTER_SPEC,
    title: 'names the announced addresses that cannot be reached',
  },
];

const primaries = [
  {
    name: 'the primary of Sentinels is reached by its address in the natMap',
    file: `${CONNECTION}/sentinels.ts`,
    find: 'natMap[`${host}:${port}`] ?? { host, port: Number(port) }',
    replace: '{ host, port: Number(port), ...(natMap && {}) }',
    spec: SENTINELS_SPEC,
    title: 'is not taken for one where the Sentinels name a server that is a replica',
  },
  {
    name: 'a server that Sentinels name must be a primary',
    file: `${CONNECTION}/primary-connector.ts`,
    find: "const isPrimary = role === undefined || role === 'master';",
    replace: "const isPrimary = role !== '';",
    spec: SENTINELS_SPEC,
    title: 'is not taken for one where the Sentinels name a server that is a replica',
  },
  {
    name: 'a primary is left as soon as Sentinels announce its successor',
    file: `${CONNECTION}/primary-connector.ts`,
    find: 'if (shown(next) !== shown(primary)) stream.destroy();',
    replace: 'shown(next);',
    spec: SENTINELS_SPEC,
    title: 'is left for its successor as soon as a Sentinel announces that, without a command that fails',
  },
  {
    name: 'each error of a socket that a client of BullMQ has opened is heard',
    file: `${CONNECTION}/hearing-connectors.ts`,
    find: 'return Promise.resolve(hearErrorsOf(stream));',
    replace: 'return Promise.resolve(stream);',
    spec: 'libs/jobs/test/broken-tls.spec.ts',
    title: 'queues and workers live on when their connections with TLS break off with two errors each: one server',
  },
  {
    name: 'a server that has become a replica is left',
    file: `${CONNECTION}/server-connection.ts`,
    find: 'isOfReplica(error) && this.#mayLeave()',
    replace: 'isOfReplica(error) && this.isClosed',
    spec: CONNECTION_SPEC,
    title: 'is made again, to where the address leads by then (publish)',
  },
];

const hearing = [
  {
    name: 'channels of a slot that has gone away are lost, though their connection stays',
    file: `${CONNECTION}/server-connection.ts`,
    find: "this.#redis.on('moved', () => this.#moved());\n",
    replace: '',
    spec: CHANNELS_SPEC,
    title: 'makes the connection count as lost, and ready again, though it stays',
  },
  {
    name: 'a listener with a channel that is not heard any more is lost',
    file: LISTENER,
    find: '    this.#lose((channel) => channel.subscribed !== null && !this.#isHeard(channel));\n',
    replace: '',
    spec: CHANNELS_SPEC,
    title: AGAIN_TITLE,
  },
  {
    name: 'a subscription counts on the connection on which it was made',
    file: LISTENER,
    find: ' && to.connectionEpoch === epoch',
    replace: '',
    spec: CHANNELS_SPEC,
    title: 'is lost by the listener of the whole Cluster when its connection is cut, and heard when it has subscribed again',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const topology = [...redirecting, ...following, ...primaries, ...hearing];
