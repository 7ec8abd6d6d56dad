import assert from 'node:assert/strict';
import type { Case } from '../conformance-case.js';
import { ACK, numbered, outgoing, type Stage, sortedValues, values } from '../stage.js';

async function reachesEachInstance(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 2 });
  const instances = await Promise.all([stage.open(), stage.open(), stage.open()]);
  const listeners = await Promise.all(instances.map((instance) => stage.broadcast(instance, topic)));
  await Promise.all(numbered(40).map((value) => instances[0].port.publish(topic, outgoing(value, { key: String(value) }))));
  await stage.until(() => listeners.every(({ seen }) => seen.length >= 40), 'each instance to have all messages');
  for (const listener of listeners) assert.deepEqual(sortedValues(listener), numbered(40));
  assert.deepEqual(listeners.map(({ subscription }) => subscription.problem()), [null, null, null]);
}

async function beginsNow(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  await instance.port.publish(topic, outgoing('before'));
  const first = await stage.broadcast(instance, topic);
  await instance.port.publish(topic, outgoing('during'));
  await stage.until(() => first.seen.length > 0, 'the message');
  await first.subscription.stop(1_000);
  await instance.port.publish(topic, outgoing('between'));
  const second = await stage.broadcast(instance, topic);
  await instance.port.publish(topic, outgoing('later'));
  await stage.until(() => second.seen.length > 0, 'the message after it');
  assert.deepEqual([values(first), values(second)], [['during'], ['later']]);
}

async function triesAgainHere(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [one, two] = [await stage.open(), await stage.open()];
  const failing = await stage.broadcast(one, topic, ({ attempt }) =>
    attempt < 3 ? { kind: 'retry', delayMs: 1, error: { name: 'Error', message: 'as planned' } } : ACK,
  );
  const well = await stage.broadcast(two, topic);
  await one.port.publish(topic, outgoing('x'));
  await stage.until(() => failing.seen.length === 3 && well.seen.length > 0, 'three attempts');
  await one.port.publish(topic, outgoing('y'));
  await stage.until(() => well.seen.length > 1, 'the message after it');
  assert.deepEqual(failing.seen.slice(0, 3).map(({ attempt, value }) => [attempt, value]), [[1, 'x'], [2, 'x'], [3, 'x']]);
  assert.deepEqual(values(well), ['x', 'y']);
}

export const BROADCASTS: readonly Case[] = [
  { name: 'a broadcast reaches every instance', needs: ['broadcast'], run: reachesEachInstance },
  { name: 'a broadcast begins now, and leaves nothing for later', needs: ['broadcast'], run: beginsNow },
  { name: 'a broadcast that fails is tried again in its own instance alone', needs: ['broadcast', 'retries'], run: triesAgainHere },
];
