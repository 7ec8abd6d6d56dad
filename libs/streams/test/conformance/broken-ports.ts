import type {
  BroadcastDefinition, Delivery, DeliveryHandler, Outcome, OutgoingMessage, PublishPort, SubscribePort, Subscription,
  SubscriptionDefinition,
} from '@millrace/core';
import type { ConformanceHarness } from '@millrace/testing';

/** The words of a case that waited for something that does not come. */
const IN_VAIN = /in vain/;

type Ports = PublishPort & SubscribePort;
type Break = (ports: Ports) => Ports;

/** One promise broken on purpose, the case that is to notice it, and the words of its failure. */
export interface Breakage {
  readonly name: string;
  readonly ports: Break;
  readonly noticedBy: string;
  readonly says: RegExp;
}

/** Long enough for anything to happen here, and short as all of it passes in vain. */
const IN_VAIN_MS = 2_000;

/** The harness with ports that break a promise. */
export function broken(harness: ConformanceHarness, { ports, says }: Breakage): ConformanceHarness {
  return {
    open: async () => {
      const instance = await harness.open();
      return { ...instance, port: ports(instance.port) };
    },
    isDrained: (topic, group) => harness.isDrained(topic, group),
    seek: (topic, group, position) => harness.seek!(topic, group, position),
    ...(says === IN_VAIN ? { patienceMs: IN_VAIN_MS } : {}),
  };
}

const sending = (change: (message: OutgoingMessage) => Partial<OutgoingMessage>): Break => (ports) => ({
  ...ports,
  publish: (topic, message, options) => ports.publish(topic, { ...message, ...change(message) }, options),
});

const handling = (change: (handler: DeliveryHandler, group: string) => DeliveryHandler): Break => (ports) => ({
  ...ports,
  subscribe: (definition, handler) => ports.subscribe(definition, change(handler, definition.group)),
});

const defining = (change: Partial<SubscriptionDefinition>): Break => (ports) => ({
  ...ports,
  subscribe: (definition, handler) => ports.subscribe({ ...definition, ...change }, handler),
});

const answering = (change: (outcome: Outcome) => Outcome): Break =>
  handling((handler) => async (delivery) => change(await handler(delivery)));

const running = (change: (subscription: Subscription) => Partial<Subscription>): Break => (ports) => ({
  ...ports,
  subscribe: async (definition, handler) => {
    const subscription = await ports.subscribe(definition, handler);
    return {
      stop: (deadlineMs) => subscription.stop(deadlineMs),
      pause: () => subscription.pause(),
      resume: () => subscription.resume(),
      pausedBy: [],
      problem: () => subscription.problem(),
      ...change(subscription),
    };
  },
});

const dropping: Break = (ports) => ({
  ...ports,
  publish: (_topic, { id }) => Promise.resolve({ id, partition: 0, offset: 0, duplicate: false }),
});

const everyTwentieth = (): Break => {
  let count = 0;
  return (ports) => ({
    ...ports,
    publish: (topic, message, options) => ((count += 1) % 20 === 0 ? dropping(ports) : ports).publish(topic, message, options),
  });
};

const delivering = (change: (delivery: Delivery) => Partial<Delivery>): Break =>
  handling((handler) => (delivery) => handler({ ...fieldsOf(delivery), ...change(delivery) }));

/** A delivery has getters, which spreading would lose. */
function fieldsOf(delivery: Delivery): Delivery {
  const { message, topic, partition, offset, group, attempt, crashes, replayed, lease, signal } = delivery;
  return { message, topic, partition, offset, group, attempt, crashes, replayed, lease, signal };
}

const twice = handling((handler) => async (delivery) => {
  await handler(delivery);
  return handler(delivery);
});

/** A message that one group had is kept from all others. */
const acrossGroups = (): Break => {
  const owners = new Map<string, string>();
  return handling((handler, group) => (delivery) => {
    const owner = owners.get(delivery.message.id) ?? group;
    owners.set(delivery.message.id, owner);
    return owner === group ? handler(delivery) : Promise.resolve({ kind: 'ack' });
  });
};

/** Each delivery is handed to every handler there is. */
const toAllMembers = (): Break => {
  const handlers: DeliveryHandler[] = [];
  return handling((own) => {
    handlers.push(own);
    return async (delivery) => {
      const [outcome] = await Promise.all(handlers.map((handler) => handler(delivery)));
      return outcome!;
    };
  });
};

const withoutDelay: Break = (ports) => ({
  ...ports,
  publish: async (topic, message) => ({ ...(await ports.publish(topic, message)), offset: null }),
});

const broadcastAsAGroup: Break = (ports) => ({
  ...ports,
  broadcast: (definition: BroadcastDefinition, handler) =>
    ports.subscribe({ ...definition, group: 'everybody', crashLimit: 10 }, handler),
});

const largeBatches: Break = (ports) => ({
  ...ports,
  subscribeBatch: (definition, { size, waitMs }, handler) =>
    ports.subscribeBatch(definition, { size: size * 2, waitMs }, handler),
});

export const BREAKAGES: readonly Breakage[] = [
  { name: 'drops every message', ports: dropping, noticedBy: 'a message that was published is delivered once', says: /deep-equal/ },
  { name: 'drops one message of twenty', ports: everyTwentieth(), noticedBy: 'thousands of concurrent publishes reach several members, each once', says: /deep-equal/ },
  { name: 'delivers twice', ports: twice, noticedBy: 'a message that was published is delivered once', says: /deep-equal/ },
  { name: 'ignores delays', ports: withoutDelay, noticedBy: 'a delayed message is not delivered before its time', says: /came too soon/ },
  {
    name: 'ignores the delay of a retry', noticedBy: 'a retry comes again, to its group alone, as the next attempt and not before its delay', says: /before its delay was over/,
    ports: answering((outcome) => (outcome.kind === 'retry' ? { ...outcome, delayMs: 0 } : outcome)),
  },
  { name: 'loses headers', ports: sending(() => ({ headers: {} })), noticedBy: 'a message keeps its id, keys, headers, type, version and time to live', says: /trace-id/ },
  { name: 'loses keys', ports: sending(() => ({ key: null })), noticedBy: 'messages with the same key share a partition, whatever the key', says: /equal/ },
  { name: 'makes new ids', ports: sending(() => ({ id: '0190163d-8694-739b-aea5-966c26f8ad91' })), noticedBy: 'a message that was published is delivered once', says: /0190163d/ },
  { name: 'shares messages across groups', ports: acrossGroups(), noticedBy: 'every group gets each message', says: /deep-equal/ },
  { name: 'gives every member of a group all', ports: toAllMembers(), noticedBy: 'the members of a group share its messages', says: /deep-equal/ },
  {
    name: 'counts a release', noticedBy: 'a message that is released comes again, uncounted', says: /deep-equal/,
    ports: answering((outcome) => (outcome.kind === 'release' ? { kind: 'retry', delayMs: 0, error: { name: 'Error', message: 'released' } } : outcome)),
  },
  { name: 'counts no attempts', ports: delivering(() => ({ attempt: 1 })), noticedBy: 'a retry comes again, to its group alone, as the next attempt and not before its delay', says: IN_VAIN },
  { name: 'counts no crashes', ports: delivering(() => ({ crashes: 0 })), noticedBy: 'the messages of a member that vanished are handled by another, after one crash', says: /deep-equal/ },
  { name: 'drops dead letters', ports: answering((outcome) => (outcome.kind === 'dead-letter' ? { kind: 'ack' } : outcome)), noticedBy: 'a dead letter is announced with its history, until its handler is content', says: IN_VAIN },
  { name: 'forgets idempotency keys', ports: sending(() => ({ idempotencyKey: null })), noticedBy: 'an idempotency key is stored once, and a duplicate is told of the first', says: /20 !== 1/ },
  { name: 'calls any second use of a key a duplicate', ports: sending(() => ({ payloadJson: '"x"', key: null, type: null })), noticedBy: 'an idempotency key with another payload, key or type is refused', says: /Missing expected rejection/ },
  { name: 'passes over the prefilter', ports: defining({ prefilter: undefined }), noticedBy: 'a message that the prefilter ends does not reach the handler', says: /deep-equal/ },
  { name: 'lets no message expire', ports: sending(() => ({ expiresAt: null })), noticedBy: 'an expired message is not handled', says: /deep-equal/ },
  { name: 'begins at the first message always', ports: defining({ start: 'earliest' }), noticedBy: 'a new group begins where its subscription says', says: /deep-equal/ },
  { name: 'handles one message at a time', ports: defining({ concurrency: 1 }), noticedBy: 'a slow handler does not block others, and no more run than were asked for', says: IN_VAIN },
  { name: 'handles more than it was asked for', ports: defining({ concurrency: 30 }), noticedBy: 'a slow handler does not block others, and no more run than were asked for', says: /ran at once/ },
  { name: 'knows no order of keys', ports: defining({ ordering: undefined }), noticedBy: 'messages of one key are handled in their order, one after the other', says: /order of key|at once/ },
  { name: 'knows no order of partitions', ports: defining({ ordering: undefined }), noticedBy: 'messages of one partition are handled in their order, one after the other', says: /at once/ },
  { name: 'never pauses', ports: running(() => ({ pause: () => Promise.resolve() })), noticedBy: 'a pause waits for the handlers at work, and starts no other', says: /before the handler was/ },
  { name: 'stops without a word to handlers', ports: running(() => ({ stop: () => Promise.resolve() })), noticedBy: 'a stop at its deadline tells handlers so, and gives their messages back uncounted', says: /not told to stop/ },
  { name: 'fails when it is stopped twice', ports: running(stoppedOnce), noticedBy: 'a stop waits for handlers, and may be called twice', says: /stopped before/ },
  { name: 'always has a problem', ports: running(() => ({ problem: () => 'none' })), noticedBy: 'a subscription to an empty topic is well', says: /deep-equal/ },
  { name: 'hands over batches that are too large', ports: largeBatches, noticedBy: 'a batch is handed over when it is full, and never larger', says: /deep-equal/ },
  { name: 'broadcasts to one instance alone', ports: broadcastAsAGroup, noticedBy: 'a broadcast reaches every instance', says: IN_VAIN },
];

function stoppedOnce(subscription: Subscription): Partial<Subscription> {
  let stopped = false;
  return {
    stop: (deadlineMs) => {
      if (stopped) return Promise.reject(new Error('stopped before'));
      stopped = true;
      return subscription.stop(deadlineMs);
    },
  };
}
