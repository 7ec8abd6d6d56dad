import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { AssignedPartition, RevokedPartition } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { SteppedGround } from '../crashes/stepped-ground.js';
import { compiler } from '../crashes/stepped-redis.js';
import { type Process, signal, subscribe } from '../fixture.js';
import type { Ground } from '../ground.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, OrderedBed } from './ordered-bed.js';
import { Tape } from './tape.js';

const LEASE_MS = 300;
const bed = new OrderedBed('leases');

/** Partitions that members own, and what they hear of them: `+` and `-` with the epoch, `!` for one that was lost. */
class Owners {
  readonly heard: string[] = [];
  readonly owned = new Set<string>();

  readonly onAssigned = ({ partition, epoch }: AssignedPartition): void => {
    this.heard.push(`+${partition}.${epoch}`);
    this.owned.add(`${partition}.${epoch}`);
  };

  readonly onRevoked = ({ partition, epoch, lost }: RevokedPartition): void => {
    this.heard.push(`${lost ? '!' : '-'}${partition}.${epoch}`);
    this.owned.delete(`${partition}.${epoch}`);
  };
}

const PARTITIONS = 4;

async function member(ground: Ground, owners: Owners, handle: (step: Step) => Promise<unknown>): Promise<Process> {
  const process = await ground.start({ leaseMs: LEASE_MS });
  await subscribe(process, { topic: Step, group: 'g', ordering: BY_KEY, ...owners }, handle);
  return process;
}

function shared(...all: Owners[]): Promise<unknown> {
  const isShared = (): boolean => all.every(({ owned }) => owned.size === PARTITIONS / all.length);
  return waitFor(isShared, { what: 'each member to own its part' });
}

/** Others have seen a member beat so often that they would have taken a silent one for dead. */
const severalLeases = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 4 * LEASE_MS));

describe('a partition stays with its owner', () => {
  it('R19 while a handler takes longer than several leases: its message is handled once', async () => {
    const [owners, others, tape, begun, gate] = [new Owners(), new Owners(), new Tape(), signal(), signal()];
    const handle = async (step: Step): Promise<void> => {
      tape.add(step);
      begun.fire();
      await gate.promise;
    };
    const first = await member(bed, owners, handle);
    await first.publisher.publishMany(Step, stepsOf(8, 2));
    await begun.promise;
    await shared(owners);
    await waitFor(() => tape.count === 8, { what: 'a message of each thing to begin' });
    const before = [...owners.owned];
    await member(bed, others, handle);
    await severalLeases();
    expect([[...owners.owned], others.owned.size, owners.heard.filter((line) => line.startsWith('!'))]).toEqual([before, 0, []]);
    gate.fire();
    await bed.drained(first, Step, 'g');
    for (let thing = 0; thing < 8; thing += 1) expect(tape.of(thing)).toEqual([0, 1]);
  });
});

describe('two processes of one configuration', () => {
  it('R23 are two members: each has partitions of its own, and none is taken from the other', async () => {
    const [one, other] = [new Owners(), new Owners()];
    const first = await member(bed, one, async () => undefined);
    await member(bed, other, async () => undefined);
    await shared(one, other);
    await first.publisher.publishMany(Step, stepsOf(8, 2));
    await bed.drained(first, Step, 'g');
    expect([...one.heard, ...other.heard].filter((line) => line.startsWith('!'))).toEqual([]);
  });
});

const stepped = 'a clock of Redis that is stepped';

(compiler ? describe : describe.skip)(compiler ? stepped : `${stepped} (skipped: it needs a C compiler, "cc", on the PATH)`, () => {
  const ground = new SteppedGround();
  beforeAll(() => ground.open());
  afterEach(() => ground.clear());
  afterAll(() => ground.close());

  it.each([['forwards', 5_000], ['backwards', -5_000]])('R21 %s by many leases between two signs of life: no partition moves', async (_, ms) => {
    const [one, other, tape] = [new Owners(), new Owners(), new Tape()];
    ground.prefix = `${ground.prefix}-${ms}`;
    const first = await member(ground, one, async (step) => tape.add(step));
    await member(ground, other, async (step) => tape.add(step));
    await shared(one, other);
    const before = [...one.heard, ...other.heard];
    await first.publisher.publishMany(Step, stepsOf(8, 4).slice(0, 16));
    await ground.stepClock(ms);
    await first.publisher.publishMany(Step, stepsOf(8, 4).slice(16));
    await severalLeases();
    await ground.drained(first, Step, 'g');
    expect([...one.heard, ...other.heard]).toEqual(before);
    for (let thing = 0; thing < 8; thing += 1) expect(tape.of(thing)).toEqual([0, 1, 2, 3]);
  });
});
