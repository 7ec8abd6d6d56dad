import { afterEach, describe, expect, it } from '@jest/globals';
import { OwnerBed } from './owner-bed.js';
import { OwnerProcess } from './owner-process.js';

const LEASE_MS = 3_000;
const PARTITIONS = 8;
/** Far longer than it should take, which is a lease and a second, since the machine may be busy. */
const TAKEN_WITHIN_MS = 4 * LEASE_MS;
const bed = new OwnerBed('killed', { partitions: PARTITIONS, leaseMs: LEASE_MS });
const processes: OwnerProcess[] = [];
afterEach(() => Promise.all(processes.splice(0).map((process) => process.kill())));

async function start(count: number): Promise<OwnerProcess[]> {
  processes.push(...(await Promise.all(Array.from({ length: count }, () => OwnerProcess.start(bed.plan)))));
  await bed.settled(processes);
  return [...processes];
}

describe('a process that owns partitions', () => {
  it('is killed: the others own them after a lease', async () => {
    const [killed, ...others] = await start(3);
    const had = killed!.owned.size;
    await killed!.kill();
    const ms = await bed.settled(others);
    console.log(`killed=1 lease_ms=${LEASE_MS} owned_again_ms=${Math.round(ms)}`);
    expect(ms).toBeLessThan(TAKEN_WITHIN_MS);
    const { twoOwners, takenFrom } = await bed.faults();
    expect([twoOwners, takenFrom]).toEqual([0, Array(had).fill(killed!.name)]);
  });

  it('is frozen for longer than a lease: it knows that it has lost them before it says that it owns anything', async () => {
    const [frozen, other] = await start(2) as [OwnerProcess, OwnerProcess];
    const [had, before] = [[...frozen.owned], frozen.said.length];
    frozen.freeze();
    await bed.settled([other]);
    frozen.thaw();
    // Everybody has known it for dead: it gets its part anew.
    await bed.settled([frozen, other]);
    const said = frozen.said.slice(before);
    for (const [partition, epoch] of had) {
      const about = said.filter((line) => line.split(' ')[1] === String(partition));
      const lost = about.indexOf(`lost ${partition}`);
      expect(lost).toBeGreaterThanOrEqual(0);
      expect(about.slice(0, lost).filter((line) => /^owns \d+ \d/.test(line))).toEqual([]);
      expect(about.filter((line) => line === `owns ${partition} ${epoch}`)).toEqual([]);
    }
    const { twoOwners, takenFrom } = await bed.faults();
    expect([twoOwners, takenFrom]).toEqual([0, Array(had.length).fill(frozen.name)]);
  });
});
