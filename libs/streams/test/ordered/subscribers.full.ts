import { afterEach, expect, it } from '@jest/globals';
import { Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { GROUP, TOPIC } from '../own/owner-member.js';
import { OwnerTape, faultsIn } from '../own/owner-tape.js';
import { Bed } from '../bed.js';
import { type Step, stepsOf } from './keyed.js';
import { Subscribers } from './subscribers.js';

const CYCLES = 20;
const PARTITIONS = 16;
const THINGS = 64;
/** Steps that publishing may be ahead of the handlers. */
const AHEAD = 10;
/** A busy machine is given more time; the printed times are those that were measured. */
const FACTOR = Number(process.env['MILLRACE_RECOVERY_FACTOR'] ?? 1);
const SETTLED_MS = 3_000;
const STORM = 50;
const STORM_MS = 15_000;
const LEASE_MS = 3_000;
const UNOWNED_MS = 1_000;
const bed = new Bed('subscribers');

@Topic<Step>(TOPIC, { key: ({ thing }) => `thing-${thing}`, partitions: PARTITIONS })
class Wide {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

@Topic<Step>('test.storm', { key: ({ thing }) => `thing-${thing}`, partitions: 4 })
class Narrow {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

/** One step of each thing. */
function stepOf(step: number): { payload: Step }[] {
  return Array.from({ length: THINGS }, (_, thing) => ({ payload: { thing, step } }));
}

/** Each step of each thing was begun once, in its order. */
function expectInOrder(members: Subscribers, steps: number): void {
  const inOrder = Array.from({ length: steps }, (_, step) => step);
  for (let thing = 0; thing < THINGS; thing += 1) expect(members.steps.get(thing)).toEqual(inOrder);
}

let tape: OwnerTape | null = null;
afterEach(() => tape?.stop());

it(`${CYCLES} cycles of 1, 8, 3, 0 and 4 members handle all messages once and in order, and settle within 3 seconds`, async () => {
  tape = await OwnerTape.start(bed.url, { prefix: bed.prefix, partitions: PARTITIONS });
  const members = new Subscribers(bed, { topic: Wide, group: GROUP, leaseMs: LEASE_MS });
  const publisher = await bed.start();
  let [rounds, isDone] = [0, false];
  const publishing = (async () => {
    for (; !isDone; rounds += 1) {
      await publisher.publisher.publishMany(Wide, stepOf(rounds));
      await waitFor(() => isDone || members.handled > (rounds - AHEAD) * THINGS, { what: 'members to keep up', timeoutMs: 60_000 });
    }
  })();
  for (let cycle = 0; cycle < CYCLES; cycle += 1) for (const count of [1, 8, 3, 0, 4, 0]) await members.to(count);
  await members.to(2);
  isDone = true;
  await publishing;
  await bed.drained(publisher, Wide, GROUP, 120_000);
  const { twoOwners, takenFrom } = faultsIn(await tape.catchUp());
  const longestMs = Math.max(...members.changes);
  const counts = `changes=${members.changes.length} moves=${members.moves} overlaps=${members.overlaps} two_owners=${twoOwners}`;
  const times = `longest_ms=${Math.round(longestMs)} bound_ms=${SETTLED_MS}`;
  console.log(`rebalance_cycles=${CYCLES} messages=${rounds * THINGS} ${counts} taken=${takenFrom.length} ${times}`);
  expectInOrder(members, rounds);
  expect([members.overlaps, twoOwners, takenFrom]).toEqual([0, 0, []]);
  expect(longestMs).toBeLessThanOrEqual(SETTLED_MS * FACTOR);
}, 900_000);

it(`${STORM} members that join at once for 4 partitions settle within 15 seconds`, async () => {
  const members = new Subscribers(bed, { topic: Narrow, group: GROUP, leaseMs: LEASE_MS });
  const publisher = await bed.start();
  await publisher.publisher.publishMany(Narrow, stepsOf(THINGS, 20));
  await members.to(STORM);
  await bed.drained(publisher, Narrow, GROUP);
  console.log(`storm=${STORM} moves=${members.moves} overlaps=${members.overlaps} ms=${Math.round(members.changes[0]!)} bound_ms=${STORM_MS}`);
  expectInOrder(members, 20);
  expect(members.overlaps).toBe(0);
  expect(members.changes[0]).toBeLessThanOrEqual(STORM_MS * FACTOR);
}, 180_000);

it('partitions of a member that vanishes have an owner again a second after its lease at the latest', async () => {
  const members = new Subscribers(bed, { topic: Wide, group: GROUP, leaseMs: LEASE_MS });
  await members.to(3);
  const ms = await members.vanish();
  console.log(`vanished=1 ms=${Math.round(ms)} bound_ms=${LEASE_MS + UNOWNED_MS}`);
  expect(ms).toBeLessThanOrEqual(LEASE_MS + UNOWNED_MS * FACTOR);
}, 120_000);
