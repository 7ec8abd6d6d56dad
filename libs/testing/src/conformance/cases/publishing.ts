import assert from 'node:assert/strict';
import type { PublishPort, PublishResult } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import { numbered, outgoing, type Seen, sortedValues, type Stage, values } from '../stage.js';

const MANY = 2_000;
const UNICODE_KEYS = ['ключ', '鍵', '🔑', 'é', 'e\u0301', ' ', '\u0000', '{a}', 'x'.repeat(1_024)];
const PAYLOADS = [
  null, true, 0, -1.5e-7, '', 'text with \u0000, " and \\', '漢字 🎉', [], {}, [[1, [2]], { a: null }], { 'a key': { b: [false] } }, 'x'.repeat(900_000),
];

/** Publishes and says what the error was, or null. */
async function failureOf(published: Promise<unknown>): Promise<unknown> {
  return published.then(() => null, (thrown: unknown) => thrown);
}

async function deliversOnce(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [publisher, member] = [await stage.open(), await stage.open()];
  const message = outgoing('one');
  const result = await publisher.port.publish(topic, message);
  assert.deepEqual(result, { id: message.id, partition: 0, offset: 0, duplicate: false });
  const listener = await stage.subscribe(member, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener), ['one']);
  const [{ partition, offset, group, attempt, crashes }] = listener.seen as [Seen];
  assert.deepEqual([partition, offset, group, attempt, crashes], [0, 0, 'g', 1, 0]);
}

async function keepsMetadata(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const listener = await stage.subscribe(instance, { topic });
  const full = outgoing({ b: 1 }, {
    key: 'customer-1', idempotencyKey: 'once', headers: { 'trace-id': 'ä 1', empty: '' }, expiresAt: Date.now() + 3_600_000, type: 'placed', schema: 3,
  });
  const plain = outgoing({ b: 2 });
  await instance.port.publish(topic, full);
  await instance.port.publish(topic, plain);
  await stage.drained(topic, 'g');
  for (const { payloadJson, ...expected } of [full, plain]) {
    const message = listener.seen.find(({ message: { id } }) => id === expected.id)?.message;
    assert.deepEqual(message, { ...expected, payload: JSON.parse(payloadJson) as unknown });
  }
}

async function keepsPayloads(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const listener = await stage.subscribe(instance, { topic });
  const ids = new Map<string, unknown>();
  for (const payload of PAYLOADS) ids.set((await instance.port.publish(topic, outgoing(payload))).id, payload);
  await stage.drained(topic, 'g');
  assert.equal(listener.seen.length, PAYLOADS.length);
  for (const { message, value } of listener.seen) assert.deepEqual(value, ids.get(message.id));
}

async function keepsKeysTogether(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 8 });
  const [one, two] = [await stage.open(), await stage.open()];
  const listener = await stage.subscribe(one, { topic });
  for (const key of UNICODE_KEYS) {
    const results = await Promise.all([one, two].map(({ port }) => port.publish(topic, outgoing(key, { key }))));
    assert.equal(results[0]!.partition, results[1]!.partition);
  }
  await stage.drained(topic, 'g');
  assert.equal(listener.seen.length, 2 * UNICODE_KEYS.length);
  for (const { message, value } of listener.seen) assert.equal(message.key, value);
}

async function numbersDensely(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 3 });
  const { port } = await stage.open();
  const publish = (value: number): Promise<PublishResult> => port.publish(topic, outgoing(value, { key: String(value % 7) }));
  const results = await Promise.all(numbered(90).map(publish));
  for (const partition of numbered(3)) {
    const offsets = results.filter((result) => result.partition === partition).map(({ offset }) => Number(offset));
    assert.deepEqual(offsets.sort((a, b) => a - b), numbered(offsets.length));
  }
  assert.ok(results.every(({ partition }) => partition >= 0 && partition < 3));
}

async function publishesManyTogether(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const { port }: { port: PublishPort } = await stage.open();
  if (!port.publishMany) return;
  const messages = numbered(500).map((value) => outgoing(value));
  const results = await port.publishMany(topic, messages.map((message) => ({ message })));
  const places = results.map((result) => ('id' in result ? [result.id, result.offset] : result));
  assert.deepEqual(places, messages.map(({ id }, offset) => [id, offset]));
  assert.deepEqual(await port.publishMany(topic, []), []);
}

async function carriesMany(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 4 });
  const instances = await Promise.all([stage.open(), stage.open(), stage.open()]);
  const listeners = await Promise.all(instances.map((instance) => stage.subscribe(instance, { topic })));
  const publish = (value: number): Promise<unknown> =>
    instances[value % 3]!.port.publish(topic, outgoing(value, { key: String(value % 50) }));
  await Promise.all(numbered(MANY).map(publish));
  await stage.drained(topic, 'g');
  assert.deepEqual(sortedValues(...listeners), numbered(MANY));
}

async function refusesAfterStop(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [ended, other] = [await stage.open(), await stage.open()];
  const listener = await stage.subscribe(other, { topic });
  await ended.port.publish(topic, outgoing('before'));
  await ended.stop(200);
  const failures = await Promise.all([
    failureOf(ended.port.publish(topic, outgoing('after'))),
    failureOf(stage.subscribe(ended, { topic, group: 'late' })),
    failureOf(stage.broadcast(ended, topic)),
  ]);
  assert.ok(failures.every((failure) => failure instanceof Error), 'a call after the stop was not refused');
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener), ['before']);
}

export const PUBLISHING: readonly Case[] = [
  { name: 'a message that was published is delivered once', needs: [], run: deliversOnce },
  { name: 'a message keeps its id, keys, headers, type, version and time to live', needs: [], run: keepsMetadata },
  { name: 'a payload is the same JSON when it is delivered, large or small', needs: [], run: keepsPayloads },
  { name: 'messages with the same key share a partition, whatever the key', needs: [], run: keepsKeysTogether },
  { name: 'the messages of a partition are numbered from 0 without gaps', needs: [], run: numbersDensely },
  { name: 'messages that are published together have their results in their order', needs: [], run: publishesManyTogether },
  { name: 'thousands of concurrent publishes reach several members, each once', needs: ['consumerGroups'], run: carriesMany },
  { name: 'an instance that has stopped refuses publishes and subscriptions', needs: [], run: refusesAfterStop },
];
