import assert from 'node:assert/strict';
import type { BatchRule, Outcome } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import { ACK, numbered, outgoing, type Seen, sortedValues, type Stage } from '../stage.js';

const FOREVER_MS = 3_600_000;
const RETRY: Outcome = { kind: 'retry', delayMs: 1, error: { name: 'Error', message: 'as planned' } };

interface Batches {
  readonly batches: (readonly Seen[])[];
  readonly publish: (count: number) => Promise<void>;
  readonly drained: () => Promise<void>;
}

async function batchesOf(stage: Stage, rule: BatchRule, outcomeOf: (seen: Seen) => Outcome = () => ACK): Promise<Batches> {
  const topic = stage.topic();
  const instance = await stage.open();
  const batches: (readonly Seen[])[] = [];
  await stage.subscribeBatch(instance, { topic, rule }, (batch) => {
    batches.push(batch);
    return batch.map(outcomeOf);
  });
  return {
    batches,
    publish: async (count) => {
      await Promise.all(numbered(count).map((value) => instance.port.publish(topic, outgoing(value))));
    },
    drained: () => stage.drained(topic, 'g'),
  };
}

const valuesOf = (batches: readonly (readonly Seen[])[]): number[] => sortedValues({ seen: batches.flat() });

async function isHandedOverWhenFull(stage: Stage): Promise<void> {
  const { batches, publish, drained } = await batchesOf(stage, { size: 10, waitMs: FOREVER_MS });
  await publish(20);
  await drained();
  assert.deepEqual(batches.map(({ length }) => length), [10, 10]);
  assert.deepEqual(valuesOf(batches), numbered(20));
}

async function isHandedOverInTime(stage: Stage): Promise<void> {
  const { batches, publish, drained } = await batchesOf(stage, { size: 1_000, waitMs: 30 });
  await publish(3);
  await stage.until(() => batches.flat().length === 3, 'a batch that is not full');
  await drained();
  assert.deepEqual(valuesOf(batches), numbered(3));
}

async function isSettledOneByOne(stage: Stage): Promise<void> {
  const outcomeOf = ({ value, attempt }: Seen): Outcome => (value === 3 && attempt === 1 ? RETRY : ACK);
  const { batches, publish, drained } = await batchesOf(stage, { size: 5, waitMs: 30 }, outcomeOf);
  await publish(5);
  await stage.until(() => batches.flat().length === 6, 'the retry');
  await drained();
  const seen = batches.flat().map(({ value, attempt }) => `${String(value)} ${attempt}`);
  assert.deepEqual(seen.sort(), ['0 1', '1 1', '2 1', '3 1', '3 2', '4 1']);
}

export const BATCHES: readonly Case[] = [
  { name: 'a batch is handed over when it is full, and never larger', needs: ['batches'], run: isHandedOverWhenFull },
  { name: 'a batch is handed over when its first message has waited long enough', needs: ['batches'], run: isHandedOverInTime },
  { name: 'each message of a batch has an outcome of its own', needs: ['batches', 'retries'], run: isSettledOneByOne },
];
