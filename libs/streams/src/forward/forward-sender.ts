import { asError, type ForwardedJobs, IdempotencyMismatchError, emit, type PublishPort, type TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { DurableRoutes } from '../durable/durable-routes.js';
import { partitionKeys } from '../keys.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import { pauses, untilWorthIt } from '../publish/pace.js';
import type { Packing } from '../publish/packing.js';
import { placeOf } from '../publish/partitioner.js';
import { MAX_BATCH_BYTES, MAX_BATCH_MESSAGES } from '../publish/publish-queue.js';
import { PublishTally, tellForwarded } from '../publish/publish-tally.js';
import type { TopicTender } from '../retain/topic-tender.js';
import { EarlierRecords } from './earlier-records.js';
import { type ForwardAnswer, type Numbered, storeForwarded } from './forward-store.js';
import type { Sendable, SendableJob, SendableKeyed, SendableMessage } from './forward-text.js';
import { groupedBy } from './grouped.js';
import { KnownTopics } from './known-topics.js';

export interface ForwardSenderParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  readonly tender: TopicTender;
  readonly packing: Packing;
  readonly publisher: PublishPort;
}

/** Messages and jobs of one lane and generation, in their order. */
export interface ForwardRun {
  /** The lane with its generation, of one partition of one group. */
  readonly source: string;
  readonly items: readonly Numbered<Sendable>[];
  readonly follows: boolean;
  /** Absent: this process has no queues. */
  readonly jobs: ForwardedJobs | undefined;
  /** Aborts when it is to be given up: others send the rest. */
  readonly signal: AbortSignal;
  /** Called with the reason when something cannot be sent at the moment, and with null when it was. */
  readonly onProblem: (why: string | null) => void;
}

/** Messages of one run for one partition, by one routing. */
interface Group {
  readonly run: ForwardRun;
  readonly topic: TopicDefinition;
  readonly partition: number;
  readonly partitions: number;
  readonly messages: readonly Numbered[];
}

/** Thrown when a run is given up. */
export class GivenUp extends Error {}

/**
 * Sends what handlers forwarded to where it goes. A message is stored only when its number is above the last that its partition
 * stored of its lane: so each call waits until all lower numbers of its partition are answered, and anybody may send the same
 * again.
 */
export class ForwardSender {
  readonly topics: KnownTopics;
  readonly #parts: ForwardSenderParts;
  readonly #routes: DurableRoutes;
  readonly #earlier: EarlierRecords;

  constructor(parts: ForwardSenderParts) {
    this.#parts = parts;
    this.topics = new KnownTopics(parts.redis, parts.prefix);
    this.#routes = new DurableRoutes(parts.redis, { purpose: 'publish', stored: 'message' });
    this.#earlier = new EarlierRecords(parts);
  }

  /**
   * Resolves when all of them are where they go.
   *
   * @throws GivenUp
   */
  async send(run: ForwardRun): Promise<void> {
    const messages = run.items.filter((one): one is Numbered => one.item.kind === 'message');
    if (messages.length === run.items.length) return this.#messages(run, messages);
    const keyed = run.items.filter((one): one is Numbered<SendableKeyed> => one.item.kind === 'keyed');
    const jobs = run.items.filter((one): one is Numbered<SendableJob> => one.item.kind === 'job');
    await Promise.all([this.#messages(run, messages), this.#jobs(run, jobs), ...keyed.map(({ item }) => this.#keyed(run, item))]);
  }

  /** A raise of a topic sends some of them elsewhere, when they were not stored before. */
  async #messages(run: ForwardRun, messages: readonly Numbered[]): Promise<void> {
    for (let open = messages; open.length > 0; ) {
      const groups = await this.#persistently(run, () => this.#grouped(run, open));
      const moved = await Promise.all(groups.map((group) => this.#toPartition(group)));
      open = moved.flat().sort((one, other) => one.number - other.number);
    }
  }

  /** @returns those that are not stored under an earlier number of partitions, by the partitions that they belong to now */
  async #grouped(run: ForwardRun, messages: readonly Numbered[]): Promise<Group[]> {
    const topics = new Map<string, TopicDefinition>();
    for (const { item } of messages) if (!topics.has(item.topic)) topics.set(item.topic, await this.topics.find(item.topic));
    for (const topic of topics.values()) if (!this.#parts.counts.isKnown(topic.name)) await this.#parts.log.learn(topic);
    const groups = new Map<string, Group & { messages: Numbered[] }>();
    for (const message of messages) {
      const topic = topics.get(message.item.topic)!;
      if (this.#earlier.has(topic) && (await this.#earlier.isStored(run.source, topic, message))) continue;
      const partitions = this.#parts.counts.of(topic);
      const partition = placeOf(message.item.routingKey, partitions);
      const name = `${partition}:${topic.name}`;
      const group = groups.get(name);
      if (group) group.messages.push(message);
      else groups.set(name, { run, topic, partition, partitions, messages: [message] });
    }
    return [...groups.values()];
  }

  /** One call at a time, in the order of their numbers. @returns those that belong to other partitions by now */
  async #toPartition(group: Group): Promise<readonly Numbered[]> {
    let open = group.messages;
    while (open.length > 0) {
      const chunk = chunkOf(open);
      const answer = await this.#persistently(group.run, () => this.#store(group, chunk));
      if (answer.kind === 'stored') open = open.slice(chunk.length);
      else if (answer.kind === 'known') open = open.filter(({ number }) => number > answer.last);
      else return open;
    }
    return open;
  }

  async #store(group: Group, messages: readonly Numbered[]): Promise<ForwardAnswer> {
    const { run: { source, follows }, topic, partition, partitions } = group;
    const { prefix, packing, tender, log } = this.#parts;
    const keys = partitionKeys(prefix, topic.name, partition);
    const retained = tender.published(topic, partition);
    const { durability } = messages[0]!.item;
    const chunk = { source, messages, topic, keys, durability, partitions, follows };
    const sinceMs = PublishTally.isHeard ? performance.now() : 0;
    const answer = await storeForwarded(this.#routes, packing, chunk);
    if (answer.kind === 'stored') tellForwarded(topic.name, messages.length, sinceMs);
    if (answer.kind === 'undeclared') {
      await log.restore(topic);
      throw new Error(`Partition ${partition} of topic '${topic.name}' had to be made again.`);
    }
    if (answer.kind === 'moved') await log.learn(topic, partition);
    if (answer.kind === 'full') {
      await retained?.makeRoom(messages.length);
      throw new Error(`Partition ${partition} of topic '${topic.name}' holds as much as its retention allows.`);
    }
    if (messages.some(({ item }) => item.due !== '')) tender.delayed(topic, 0);
    return answer;
  }

  /** A key that was used for another message cannot be used for this one, however often it is tried. */
  async #keyed(run: ForwardRun, { topic: name, message, sendOptions }: SendableKeyed): Promise<void> {
    const topic = await this.#persistently(run, () => this.topics.find(name));
    await this.#persistently(run, async () => {
      try {
        await this.#parts.publisher.publish(topic, message, sendOptions);
      } catch (thrown) {
        if (!(thrown instanceof IdempotencyMismatchError)) throw thrown;
        emit('publishes-lost', { topic: name, batches: 1, why: `forwarded message ${message.id} is refused for good: ${thrown.message}` });
      }
    });
  }

  async #jobs(run: ForwardRun, jobs: readonly Numbered<SendableJob>[]): Promise<void> {
    const queues = groupedBy(jobs, ({ item }) => item.queue);
    for (const [queue, own] of queues) {
      await this.#persistently(run, async () => {
        if (!run.jobs) throw new Error(`Jobs for queue '${queue}' wait: this process has no queues.`);
        await run.jobs.store(queue, own.map(({ item }) => item.json));
      });
    }
  }

  /**
   * Tries it until it succeeds, or the run is given up: nothing that follows may pass.
   *
   * @throws GivenUp
   */
  async #persistently<T>(run: ForwardRun, work: () => Promise<T>): Promise<T> {
    let hasFailed = false;
    for (const pauseMs of pauses()) {
      if (run.signal.aborted) break;
      try {
        const done = await work();
        if (hasFailed) run.onProblem(null);
        return done;
      } catch (thrown) {
        hasFailed = true;
        run.onProblem(asError(thrown).message);
        await untilWorthIt(this.#parts.redis.publishFor(partitionKeys(this.#parts.prefix, run.source.split(':')[0]!, 0).log), pauseMs);
      }
    }
    throw new GivenUp('The process stops: others send the rest.');
  }
}

/** As many as one call stores, of one durability. */
function chunkOf(messages: readonly Numbered[]): readonly Numbered[] {
  const [{ item: { durability } }] = messages as [Numbered];
  let [count, bytes] = [0, 0];
  for (const { item } of messages) {
    bytes += item.text.length;
    if (count === MAX_BATCH_MESSAGES || (count > 0 && bytes > MAX_BATCH_BYTES) || !isSame(item.durability, durability)) break;
    count += 1;
  }
  return count === messages.length ? messages : messages.slice(0, count);
}

function isSame(one: SendableMessage['durability'], other: SendableMessage['durability']): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
