import assert from 'node:assert/strict';
import { IdempotencyMismatchError, type PublishResult } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import type { ConformanceInstance } from '../harness.js';
import { numbered, outgoing, type Stage, values } from '../stage.js';

async function storesAKeyOnce(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 4 });
  const instances = [await stage.open(), await stage.open()];
  const publish = ({ port }: ConformanceInstance): Promise<PublishResult> =>
    port.publish(topic, outgoing('x', { idempotencyKey: 'once', key: 'k' }));
  const results = await Promise.all(numbered(20).map((value) => publish(instances[value % 2]!)));
  const first = results.find(({ duplicate }) => !duplicate);
  assert.equal(results.filter(({ duplicate }) => !duplicate).length, 1);
  for (const result of results) assert.deepEqual({ ...result, duplicate: false }, first);
  const listener = await stage.subscribe(instances[0]!, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(await publish(instances[1]!), { ...first, duplicate: true });
  await stage.drained(topic, 'g');
  assert.deepEqual(listener.seen.map(({ message }) => message.id), [first?.id]);
}

async function refusesAnotherPayload(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 4 });
  const instance = await stage.open();
  const { port } = instance;
  await port.publish(topic, outgoing('x', { idempotencyKey: 'once' }));
  const others = [
    outgoing('y', { idempotencyKey: 'once' }),
    outgoing('x', { idempotencyKey: 'once', key: 'another' }),
    outgoing('x', { idempotencyKey: 'once', type: 'another' }),
  ];
  for (const other of others) await assert.rejects(port.publish(topic, other), IdempotencyMismatchError);
  await port.publish(topic, outgoing('y', { idempotencyKey: 'twice' }));
  const listener = await stage.subscribe(instance, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener).sort(), ['x', 'y']);
}

async function storesOnceWithoutAnswer(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [lossy, member] = [await stage.openLossy(), await stage.open()];
  await lossy.port.publish(topic, outgoing('before'));
  const lost = lossy.loseAnswers();
  const published = lossy.port.publish(topic, outgoing('during'), { deadlineMs: 30_000 });
  await lost;
  await lossy.mend();
  assert.equal((await published).duplicate, false);
  const listener = await stage.subscribe(member, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener).sort(), ['before', 'during']);
}

export const UNIQUENESS: readonly Case[] = [
  { name: 'an idempotency key is stored once, and a duplicate is told of the first', needs: ['idempotencyKeys'], run: storesAKeyOnce },
  { name: 'an idempotency key with another payload, key or type is refused', needs: ['idempotencyKeys'], run: refusesAnotherPayload },
  { name: 'a publish whose answer is lost is stored once', needs: ['producerIdempotence'], run: storesOnceWithoutAnswer },
];
