import assert from 'node:assert/strict';
import type { DeadLetterDelivery, ErrorRecord, Outcome, Prefilter } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import { ACK, outgoing, type Seen, type Stage, values } from '../stage.js';

const ERROR: ErrorRecord = { name: 'Error', message: 'as planned', code: 'PLANNED' };
const DELAY_MS = 150;
const FOREVER_MS = 3_600_000;

function retryIn(delayMs: number): Outcome {
  return { kind: 'retry', delayMs, error: ERROR };
}

const ACKS: readonly Outcome[] = (['discarded', 'deduplicated', 'filtered'] as const).map((how) => ({ kind: 'ack', [how]: true }));
const DEAD: Outcome = { kind: 'dead-letter', reason: 'DEAD_LETTERED_BY_HANDLER', error: ERROR };

async function comesAgain(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const ended: number[] = [];
  const failing = await stage.subscribe(instance, { topic }, ({ attempt }) => {
    ended.push(stage.nowMs);
    return attempt < 3 ? retryIn(DELAY_MS) : ACK;
  });
  const well = await stage.subscribe(instance, { topic, group: 'well' });
  const { id } = await instance.port.publish(topic, outgoing('x', { headers: { a: 'b' }, key: 'k' }));
  await stage.drained(topic, 'g', 'well');
  assert.deepEqual(failing.seen.map(({ attempt, crashes }) => [attempt, crashes]), [[1, 0], [2, 0], [3, 0]]);
  assert.equal(well.seen.length, 1);
  for (const { message, value, offset } of failing.seen) {
    assert.deepEqual([message.id, message.headers, message.key, value, offset], [id, { a: 'b' }, 'k', 'x', 0]);
  }
  failing.seen.slice(1).forEach(({ atMs }, index) => assert.ok(atMs - ended[index]! >= DELAY_MS, 'the retry came before its delay was over'));
}

async function comesAgainAsTheSame(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  let calls = 0;
  const { seen } = await stage.subscribe(instance, { topic }, () => {
    calls += 1;
    return calls < 3 ? { kind: 'retry', delayMs: 1, error: ERROR, sameAttempt: true } : ACK;
  });
  await instance.port.publish(topic, outgoing('x'));
  await stage.drained(topic, 'g');
  assert.deepEqual(seen.map(({ attempt }) => attempt), [1, 1, 1]);
}

/** The outcome of a first delivery is that, of later ones `ack`. */
async function afterFirst(stage: Stage, outcome: Outcome): Promise<Seen[]> {
  const topic = stage.topic();
  const instance = await stage.open();
  let calls = 0;
  const { seen } = await stage.subscribe(instance, { topic }, () => ((calls += 1) === 1 ? outcome : ACK));
  await instance.port.publish(topic, outgoing('x'));
  await stage.drained(topic, 'g');
  return seen;
}

async function comesAgainUncounted(stage: Stage): Promise<void> {
  for (const outcome of [{ kind: 'release' }, { kind: 'release', delayMs: DELAY_MS }] as const) {
    const seen = await afterFirst(stage, outcome);
    assert.deepEqual(seen.map(({ attempt, crashes, value }) => [attempt, crashes, value]), [[1, 0, 'x'], [1, 0, 'x']]);
  }
}

async function isDone(stage: Stage): Promise<void> {
  const ways: readonly Outcome[] = [ACK, ...ACKS, DEAD];
  for (const outcome of ways) assert.equal((await afterFirst(stage, outcome)).length, 1);
}

async function announcesDeadLetters(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const told: Pick<DeadLetterDelivery, 'message' | 'attempt' | 'deadLetter'>[] = [];
  const deadLetterHandler = ({ message, attempt, deadLetter }: DeadLetterDelivery): Promise<Outcome> => {
    told.push({ message: { ...message }, attempt, deadLetter });
    return Promise.resolve(attempt < 2 ? retryIn(1) : ACK);
  };
  const listener = await stage.subscribe(instance, { topic, deadLetterHandler }, ({ attempt, value }) => {
    if (value === 'good') return ACK;
    return attempt < 2 ? retryIn(1) : DEAD;
  });
  const { id } = await instance.port.publish(topic, outgoing('bad', { headers: { a: 'b' } }));
  await instance.port.publish(topic, outgoing('good'));
  await stage.drained(topic, 'g');
  await stage.until(() => told.length === 2, 'the dead letter to be announced, and again');
  assert.deepEqual(values(listener).sort(), ['bad', 'bad', 'good']);
  told.forEach(({ message, attempt, deadLetter }, index) => {
    assert.deepEqual([message.id, message.payload, message.headers, attempt], [id, 'bad', { a: 'b' }, index + 1]);
    const { reason, attempts, crashes, error } = deadLetter;
    assert.deepEqual([reason, attempts, crashes, error.message, error.code], ['DEAD_LETTERED_BY_HANDLER', 2, 0, 'as planned', 'PLANNED']);
  });
}

async function survivesADefect(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const reasons: string[] = [];
  const deadLetterHandler = ({ deadLetter }: DeadLetterDelivery): Promise<Outcome> => {
    reasons.push(deadLetter.reason);
    return Promise.resolve(ACK);
  };
  const listener = await stage.subscribe(instance, { topic, deadLetterHandler }, ({ value }) => {
    if (value === 'bad') throw new Error('a defect');
    return ACK;
  });
  for (const value of ['bad', 'good']) await instance.port.publish(topic, outgoing(value));
  await stage.until(() => reasons.length > 0, 'the dead letter');
  await stage.drained(topic, 'g');
  assert.deepEqual([reasons, values(listener).sort()], [['HANDLER_DEFECT'], ['bad', 'good']]);
}

async function staysAfterItsMember(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [one, two] = [await stage.open(), await stage.open()];
  const first = await stage.subscribe(one, { topic }, () => retryIn(DELAY_MS));
  await one.port.publish(topic, outgoing('x'));
  await stage.until(() => first.seen.length === 1, 'the first attempt');
  await one.stop(1_000);
  const second = await stage.subscribe(two, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(second.seen.map(({ value, attempt }) => [value, attempt]), [['x', first.seen.length + 1]]);
}

async function filtersBefore(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const prefilter: Prefilter = ({ headers }) => (headers['for'] === 'us' ? null : { kind: 'ack', filtered: true });
  const listener = await stage.subscribe(instance, { topic, prefilter });
  for (const [value, to] of [['1', 'us'], ['2', 'them'], ['3', 'us']] as const) {
    await instance.port.publish(topic, outgoing(value, { headers: { for: to } }));
  }
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener).sort(), ['1', '3']);
}

async function passesOverExpired(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  await instance.port.publish(topic, outgoing('late', { expiresAt: 1 }));
  await instance.port.publish(topic, outgoing('in time', { expiresAt: Date.now() + FOREVER_MS }));
  const listener = await stage.subscribe(instance, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener), ['in time']);
}

export const OUTCOMES: readonly Case[] = [
  { name: 'a retry comes again, to its group alone, as the next attempt and not before its delay', needs: ['retries', 'consumerGroups'], run: comesAgain },
  { name: 'a retry of the same attempt does not count', needs: ['retries'], run: comesAgainAsTheSame },
  { name: 'a retry that waits outlives the member that failed', needs: ['retries', 'consumerGroups'], run: staysAfterItsMember },
  { name: 'a message that is released comes again, uncounted', needs: [], run: comesAgainUncounted },
  { name: 'a message that is done, or given up, never comes again', needs: ['deadLetters'], run: isDone },
  { name: 'a dead letter is announced with its history, until its handler is content', needs: ['deadLetters', 'retries'], run: announcesDeadLetters },
  { name: 'a handler that throws costs its own message alone', needs: ['deadLetters'], run: survivesADefect },
  { name: 'a message that the prefilter ends does not reach the handler', needs: ['prefilter'], run: filtersBefore },
  { name: 'an expired message is not handled', needs: ['expiry'], run: passesOverExpired },
];
