import assert from 'node:assert/strict';
import type { Position } from '@millrace/core';
import type { Case } from '../conformance-case.js';
import { Gate } from '../gate.js';
import { ACK, numbered, outgoing, type Seen, type Stage, sortedValues, values } from '../stage.js';

const COUNT = 60;

async function reachesEachGroup(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 3 });
  const [one, two] = [await stage.open(), await stage.open()];
  const listeners = [
    await stage.subscribe(one, { topic, group: 'a' }),
    await stage.subscribe(one, { topic, group: 'b' }),
    await stage.subscribe(two, { topic, group: 'c' }),
  ];
  await Promise.all(numbered(COUNT).map((value) => one.port.publish(topic, outgoing(value, { key: String(value) }))));
  await stage.drained(topic, 'a', 'b', 'c');
  for (const listener of listeners) assert.deepEqual(sortedValues(listener), numbered(COUNT));
  assert.deepEqual(listeners.map(({ seen }) => [...new Set(seen.map(({ group }) => group))]), [['a'], ['b'], ['c']]);
}

async function sharesInAGroup(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const members = [await stage.open(), await stage.open()];
  const both = new Gate();
  const answer = async (): Promise<typeof ACK> => {
    await both.opened;
    return ACK;
  };
  const listeners = await Promise.all(members.map((member) => stage.subscribe(member, { topic, concurrency: 1 }, answer)));
  for (const value of numbered(COUNT)) await members[0]!.port.publish(topic, outgoing(value));
  await stage.until(() => listeners.every(({ seen }) => seen.length > 0), 'both members to have a message');
  both.open();
  await stage.drained(topic, 'g');
  assert.deepEqual(sortedValues(...listeners), numbered(COUNT));
}

async function keepsForTheAbsent(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const first = await stage.subscribe(instance, { topic });
  await instance.port.publish(topic, outgoing('before'));
  await stage.drained(topic, 'g');
  await first.subscription.stop(1_000);
  await instance.port.publish(topic, outgoing('meanwhile'));
  const second = await stage.subscribe(instance, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual([values(first), values(second)], [['before'], ['meanwhile']]);
}

async function isWellWhileEmpty(stage: Stage): Promise<void> {
  const topic = stage.topic({ partitions: 2 });
  const instance = await stage.open();
  const { subscription, seen } = await stage.subscribe(instance, { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual([subscription.problem(), subscription.pausedBy, seen], [null, [], []]);
  await instance.port.publish(topic, outgoing('first'));
  await stage.until(() => seen.length === 1, 'the first message');
  assert.equal(subscription.problem(), null);
}

async function beginsAt(stage: Stage, start: Position, expected: readonly string[]): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  for (const value of ['0', '1', '2']) await instance.port.publish(topic, outgoing(value));
  const listener = await stage.subscribe(instance, { topic, start });
  await instance.port.publish(topic, outgoing('3'));
  await stage.drained(topic, 'g');
  assert.deepEqual(values(listener).sort(), expected);
}

async function beginsWhereItSays(stage: Stage): Promise<void> {
  await beginsAt(stage, 'earliest', ['0', '1', '2', '3']);
  await beginsAt(stage, 'latest', ['3']);
  await beginsAt(stage, { offset: 2 }, ['2', '3']);
}

async function isGivenAgainBySeek(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const { seen } = await stage.subscribe(instance, { topic });
  for (const value of numbered(3)) await instance.port.publish(topic, outgoing(value));
  await stage.drained(topic, 'g');
  await stage.seek(topic, 'g', { offset: 1 });
  await stage.drained(topic, 'g');
  const shown = (all: readonly Seen[]): string[] => all.map(({ value, replayed }) => `${String(value)} ${replayed}`).sort();
  assert.deepEqual(shown(seen.slice(0, 3)), ['0 false', '1 false', '2 false']);
  assert.deepEqual(shown(seen.slice(3)), ['1 true', '2 true']);
}

async function survivesTheStore(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const before = await stage.open();
  const listener = await stage.subscribe(before, { topic });
  await before.port.publish(topic, outgoing('handled'));
  await stage.drained(topic, 'g');
  await listener.subscription.stop(1_000);
  const { id } = await before.port.publish(topic, outgoing('waiting'));
  await before.stop(1_000);
  await stage.restart();
  const after = await stage.subscribe(await stage.open(), { topic });
  await stage.drained(topic, 'g');
  assert.deepEqual(after.seen.map(({ value, message }) => [value, message.id]), [['waiting', id]]);
}

async function keepsOrder(stage: Stage): Promise<void> {
  const topic = stage.topic();
  const instance = await stage.open();
  const listener = await stage.subscribe(instance, { topic, concurrency: 1 });
  await Promise.all(numbered(300).map((value) => instance.port.publish(topic, outgoing(value))));
  await stage.drained(topic, 'g');
  assert.deepEqual(listener.seen.map(({ offset }) => offset), numbered(300));
  assert.deepEqual(values(listener), numbered(300));
}

export const GROUPS: readonly Case[] = [
  { name: 'every group gets each message', needs: ['consumerGroups'], run: reachesEachGroup },
  { name: 'the members of a group share its messages', needs: ['consumerGroups'], run: sharesInAGroup },
  { name: 'a group that was away gets what was published meanwhile, and nothing again', needs: [], run: keepsForTheAbsent },
  { name: 'a subscription to an empty topic is well', needs: [], run: isWellWhileEmpty },
  { name: 'a new group begins where its subscription says', needs: ['startPosition'], run: beginsWhereItSays },
  { name: 'a group that is set back gets messages again, and is told so', needs: ['seek'], run: isGivenAgainBySeek },
  { name: 'messages, and what is done, outlive a crash of the store', needs: ['persistsAcrossRestart'], run: survivesTheStore },
  { name: 'one member with one call at once handles a partition in its order', needs: ['guaranteesOrderWithOneMember'], run: keepsOrder },
];
