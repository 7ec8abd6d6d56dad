import assert from 'node:assert/strict';
import type { Case } from '../conformance-case.js';
import { outgoing, type Stage, values } from '../stage.js';

const DELAY_MS = 300;

async function waitsForItsTime(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const listener = await stage.subscribe(instance, { topic });
  const before = stage.nowMs;
  const result = await instance.port.publish(topic, outgoing('after a delay'), { due: { inMs: DELAY_MS } });
  assert.deepEqual([result.offset, result.duplicate], [null, false]);
  const atMs = stage.nowMs + DELAY_MS;
  await instance.port.publish(topic, outgoing('at a moment'), { due: { atMs } });
  await instance.port.publish(topic, outgoing('at once'));
  await stage.until(() => listener.seen.length === 3, 'the delayed messages');
  await stage.drained(topic, 'g');
  const timeOf = (value: string): number => listener.seen.find((seen) => seen.value === value)!.atMs;
  assert.ok(timeOf('after a delay') >= before + DELAY_MS, 'a delayed message came too soon');
  assert.ok(timeOf('at a moment') >= atMs, 'a message came before its moment');
}

async function isNotDelayedByThePast(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const listener = await stage.subscribe(instance, { topic });
  await instance.port.publish(topic, outgoing('a'), { due: { atMs: 1 } });
  await instance.port.publish(topic, outgoing('b'), { due: { inMs: 0 } });
  await stage.until(() => listener.seen.length === 2, 'both messages');
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener).sort(), ['a', 'b']);
}

async function outlivesItsPublisher(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [publisher, member] = [await stage.open(), await stage.open()];
  const listener = await stage.subscribe(member, { topic });
  await publisher.port.publish(topic, outgoing('x', { key: 'k', headers: { a: 'b' } }), { due: { inMs: DELAY_MS } });
  await publisher.stop(1_000);
  await stage.until(() => listener.seen.length === 1, 'the delayed message');
  await stage.drained(topic, 'g');
  assert.deepEqual(listener.seen.map(({ value, message }) => [value, message.key, message.headers]), [['x', 'k', { a: 'b' }]]);
}

export const DELAYS: readonly Case[] = [
  { name: 'a delayed message is not delivered before its time', needs: ['delays'], run: waitsForItsTime },
  { name: 'a message that is due in the past is delivered now', needs: ['delays'], run: isNotDelayedByThePast },
  { name: 'a delayed message outlives its publisher', needs: ['delays'], run: outlivesItsPublisher },
];
