import { afterEach, describe, expect, it } from '@jest/globals';
import { loadScript } from '@millrace/redis';
import { SelectiveProxy } from '../crashes/selective-proxy.js';
import { OwnerBed } from './owner-bed.js';

const NO_FAULTS = { twoOwners: 0, strayReleases: 0, takenFrom: [] };
const bed = new OwnerBed('lost-answers', { partitions: 6, leaseMs: 1_500 });
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A way to Redis on which the answers to one script are lost, as often as is said. */
async function losing(script: string, times: number): Promise<{ url: string; lost: () => number }> {
  const { source, sha } = loadScript(`../../src/scripts/${script}`, import.meta.url);
  await bed.command('SCRIPT', 'LOAD', source);
  const proxy = await SelectiveProxy.start(bed.url);
  ends.push(() => proxy.stop());
  const asked = new Set<string>();
  let lost = 0;
  proxy.follow(({ direction, name, text }) => {
    if (direction === 'request' && lost < times && text.includes(sha)) asked.add(name);
    if (direction === 'request' || !asked.delete(name)) return 'pass';
    lost += 1;
    return 'break';
  });
  return { url: proxy.url, lost: () => lost };
}

describe('an answer that is lost', () => {
  it('to an acquire: the member owns the partitions all the same, each under one epoch', async () => {
    const { url, lost } = await losing('acquire.lua', 2);
    const member = await bed.join({ url });
    await bed.settled([member]);
    expect([lost(), bed.overlaps, await bed.faults()]).toEqual([2, 0, NO_FAULTS]);
  });

  it('to a release: others own the partitions all the same', async () => {
    const { url, lost } = await losing('release.lua', 1);
    const first = await bed.join({ url });
    await bed.settled([first]);
    const second = await bed.join();
    await bed.settled([first, second]);
    expect([lost(), bed.overlaps, await bed.faults()]).toEqual([1, 0, NO_FAULTS]);
  });

  it('to the last release of a member that stops: others own its partitions', async () => {
    const { url, lost } = await losing('release.lua', 1);
    const first = await bed.join({ url });
    await bed.settled([first]);
    const second = await bed.join();
    await first.stop();
    await bed.settled([second]);
    expect([lost() > 0, bed.overlaps, (await bed.faults()).twoOwners]).toEqual([true, 0, 0]);
  });
});
