import assert from 'node:assert/strict';
import { isMillraceError, type Outcome } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import { Gate } from '../gate.js';
import { ACK, numbered, outgoing, type Stage, sortedValues, values } from '../stage.js';

function never(): Promise<Outcome> {
  return new Promise(() => undefined);
}

async function isTakenOver(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [victim, heir] = [await stage.open(), await stage.open()];
  const held = await stage.subscribe(victim, { topic, concurrency: 4 }, never);
  for (const value of numbered(4)) await heir.port.publish(topic, outgoing(value));
  await stage.until(() => held.seen.length === 4, 'one member to hold all');
  victim.vanish();
  const inherited = await stage.subscribe(heir, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(sortedValues(inherited), numbered(4));
  assert.deepEqual(inherited.seen.map(({ attempt, crashes }) => [attempt, crashes]), numbered(4).map(() => [1, 1]));
}

async function givesBackAtItsDeadline(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [one, two] = [await stage.open(), await stage.open()];
  const late = new Gate();
  const first = await stage.subscribe(one, { topic }, async () => {
    await late.opened;
    return ACK;
  });
  await one.port.publish(topic, outgoing('x'));
  await stage.until(() => first.seen.length === 1, 'a handler at work');
  const { signal } = first.seen[0]!;
  assert.equal(signal.aborted, false);
  await first.subscription.stop(1);
  assert.ok(signal.aborted && isMillraceError(signal.reason) && signal.reason.code === 'CLOSED', 'the handler was not told to stop');
  late.open();
  const second = await stage.subscribe(two, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(second.seen.map(({ value, attempt, crashes }) => [value, attempt, crashes]), [['x', 1, 0]]);
}

async function letsHandlersFinish(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const [begun, gate] = [new Gate(), new Gate()];
  const first = await stage.subscribe(instance, { topic }, async () => {
    begun.open();
    await gate.opened;
    return ACK;
  });
  await instance.port.publish(topic, outgoing('x'));
  await begun.opened;
  const stops = [first.subscription.stop(30_000), first.subscription.stop(30_000)];
  gate.open();
  await Promise.all(stops);
  await first.subscription.stop(1);
  const second = await stage.subscribe(instance, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual([values(first), values(second)], [['x'], []]);
}

async function startsNothingWhilePaused(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const [one, two] = [await stage.open(), await stage.open()];
  const paused = await stage.subscribe(one, { topic });
  await one.port.publish(topic, outgoing('before'));
  await stage.drained(topic, 'g');
  await paused.subscription.pause();
  assert.deepEqual(paused.subscription.pausedBy, ['process']);
  const other = await stage.subscribe(two, { topic });
  await one.port.publish(topic, outgoing('meanwhile'));
  await stage.drained(topic, 'g');
  await other.subscription.stop(1_000);
  await one.port.publish(topic, outgoing('after'));
  assert.deepEqual([values(paused), values(other)], [['before'], ['meanwhile']]);
  paused.subscription.resume();
  assert.deepEqual(paused.subscription.pausedBy, []);
  await stage.drained(topic, 'g');
  assert.deepEqual(values(paused), ['before', 'after']);
}

async function pausesWhenHandlersEnd(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const gate = new Gate();
  let isOver = false;
  const { subscription, seen } = await stage.subscribe(instance, { topic, concurrency: 1 }, async () => {
    await gate.opened;
    return ACK;
  });
  for (const value of numbered(3)) await instance.port.publish(topic, outgoing(value));
  await stage.until(() => seen.length === 1, 'a handler at work');
  const pause = subscription.pause().then(() => (isOver = true));
  // A call to the store and back, which a pause that waits for nothing would be over before.
  await instance.port.publish(topic, outgoing(3));
  assert.equal(isOver, false, 'the pause was over before the handler was');
  gate.open();
  await pause;
  assert.equal(seen.length, 1);
  subscription.resume();
  await stage.drained(topic, 'g');
  assert.deepEqual(sortedValues({ seen }), numbered(4));
}

async function worksBesideASlowOne(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const slow = new Gate();
  let [running, most] = [0, 0];
  const listener = await stage.subscribe(instance, { topic, concurrency: 3 }, async ({ value }) => {
    most = Math.max(most, (running += 1));
    await (value === 0 ? slow.opened : stage.sleep(1));
    running -= 1;
    return ACK;
  });
  for (const value of numbered(30)) await instance.port.publish(topic, outgoing(value));
  await stage.until(() => listener.seen.length === 30, 'all but the slow one to be handled');
  assert.ok(most <= 3, `${most} handlers ran at once`);
  slow.open();
  await stage.drained(topic, 'g');
  assert.deepEqual(sortedValues(listener), numbered(30));
}

export const MEMBERS: readonly Case[] = [
  { name: 'the messages of a member that vanished are handled by another, after one crash', needs: ['takeOver', 'consumerGroups'], run: isTakenOver },
  { name: 'a stop at its deadline tells handlers so, and gives their messages back uncounted', needs: ['consumerGroups'], run: givesBackAtItsDeadline },
  { name: 'a stop waits for handlers, and may be called twice', needs: [], run: letsHandlersFinish },
  { name: 'a paused subscription leaves its messages to others', needs: ['pause', 'consumerGroups'], run: startsNothingWhilePaused },
  { name: 'a pause waits for the handlers at work, and starts no other', needs: ['pause'], run: pausesWhenHandlersEnd },
  { name: 'a slow handler does not block others, and no more run than were asked for', needs: [], run: worksBesideASlowOne },
];
