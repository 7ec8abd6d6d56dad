import assert from 'node:assert/strict';
import type { TopicDefinition } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import type { ConformanceInstance } from '../harness.js';
import { ACK, numbered, outgoing, type Seen, type Stage } from '../stage.js';

const KEYS = 7;
const STEPS = 12;
const GROUP = 'g';

interface Step {
  readonly key: string;
  readonly step: number;
}

const names = numbered(KEYS).map((key) => `key-${key}`);

/** Publishes the steps of all keys in turn, and waits for none before the next. */
async function publishSteps({ port }: ConformanceInstance, topic: TopicDefinition): Promise<void> {
  const steps = numbered(STEPS).flatMap((step) => names.map((key) => ({ key, step })));
  await Promise.all(steps.map((step) => port.publish(topic, outgoing(step, { key: step.key }))));
}

function stepOf({ value }: Pick<Seen, 'value'>): Step {
  return value as Step;
}

/** Watches that the messages of a lane are handled one after the other. */
class Watch {
  readonly #atWork = new Set<string>();
  readonly seen: Step[] = [];
  overlaps = 0;
  most = 0;

  async handle(lane: string, step: Step, work: () => Promise<void>): Promise<void> {
    if (this.#atWork.has(lane)) this.overlaps += 1;
    this.#atWork.add(lane);
    this.most = Math.max(this.most, this.#atWork.size);
    this.seen.push(step);
    await work();
    this.#atWork.delete(lane);
  }

  of(key: string): number[] {
    return this.seen.filter((each) => each.key === key).map(({ step }) => step);
  }
}

async function keepsTheOrderOfKeys(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 4 });
  const [one, two] = [await stage.open(), await stage.open()];
  const watch = new Watch();
  for (const instance of [one, two]) {
    await stage.subscribe(instance, { topic, group: GROUP, ordering: { by: 'key' } }, async (seen) => {
      await watch.handle(stepOf(seen).key, stepOf(seen), () => stage.sleep(3));
      return ACK;
    });
  }
  await publishSteps(one, topic);
  await stage.drained(topic, GROUP);
  for (const key of names) assert.deepEqual(watch.of(key), numbered(STEPS), `the order of ${key}`);
  assert.equal(watch.overlaps, 0, 'messages of one key were handled at once');
  assert.ok(watch.most > 1, 'keys waited for each other');
}

async function keepsAKeyWaiting(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const watch = new Watch();
  await stage.subscribe(instance, { topic, group: GROUP, ordering: { by: 'key' } }, (seen) => {
    const step = stepOf(seen);
    watch.seen.push(step);
    const fails = step.key === names[0] && step.step === 1 && seen.attempt < 3;
    return fails ? { kind: 'retry', delayMs: 20, error: { name: 'Error', message: 'not yet' } } : ACK;
  });
  await publishSteps(instance, topic);
  await stage.drained(topic, GROUP);
  const [first, ...others] = names;
  assert.deepEqual(watch.of(first!), [0, 1, 1, ...numbered(STEPS).slice(1)]);
  for (const key of others) assert.deepEqual(watch.of(key), numbered(STEPS), `the order of ${key}`);
}

async function goesOnInOrder(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 2 });
  const [victim, heir] = [await stage.open(), await stage.open()];
  const held = await stage.subscribe(victim, { topic, group: GROUP, ordering: { by: 'key' } }, (seen) => {
    return stepOf(seen).step < 2 ? ACK : new Promise(() => undefined);
  });
  await publishSteps(heir, topic);
  await stage.until(() => held.seen.some((seen) => stepOf(seen).step === 2), 'a handler that does not end');
  victim.vanish();
  const inherited = await stage.subscribe(heir, { topic, group: GROUP, ordering: { by: 'key' } });
  await stage.drained(topic, GROUP);
  for (const key of names) {
    const steps = inherited.seen.map(stepOf).filter((each) => each.key === key).map(({ step }) => step);
    assert.deepEqual(steps, numbered(STEPS).slice(STEPS - steps.length), `the order of ${key}`);
  }
}

async function keepsTheOrderOfPartitions(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 3 });
  const instance = await stage.open();
  const watch = new Watch();
  const offsets = new Map<string, number[]>();
  await stage.subscribe(instance, { topic, group: GROUP, ordering: { by: 'partition' } }, async (seen) => {
    const lane = String(seen.partition);
    offsets.set(lane, [...(offsets.get(lane) ?? []), seen.offset]);
    await watch.handle(lane, stepOf(seen), () => stage.sleep(1));
    return ACK;
  });
  await publishSteps(instance, topic);
  await stage.drained(topic, GROUP);
  for (const seen of offsets.values()) assert.deepEqual(seen, seen.toSorted((one, other) => one - other));
  assert.equal(watch.overlaps, 0, 'messages of one partition were handled at once');
  assert.equal(watch.seen.length, KEYS * STEPS);
}

export const ORDERING: readonly Case[] = [
  { name: 'messages of one key are handled in their order, one after the other', needs: ['orderByKey'], run: keepsTheOrderOfKeys },
  { name: 'a retry keeps the messages of its key waiting, and no others', needs: ['orderByKey', 'retries'], run: keepsAKeyWaiting },
  { name: 'keys go on in their order when their member vanishes', needs: ['orderByKey', 'takeOver'], run: goesOnInOrder },
  { name: 'messages of one partition are handled in their order, one after the other', needs: ['orderByPartition'], run: keepsTheOrderOfPartitions },
];
