import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Bed } from '../bed.js';
import { Numbered } from '../topics.js';
import { Crowd, NO_HARM } from './crowd.js';
import { compiler, startSteppedRedis, type SteppedRedis } from './stepped-redis.js';

class SteppedBed extends Bed {
  stepped!: SteppedRedis;

  protected override async startServers(): Promise<void> {
    this.server = this.stepped = await startSteppedRedis();
  }
}

const title = 'a step of the clock of Redis';

(compiler ? describe : describe.skip)(compiler ? title : `${title} (skipped: it needs a C compiler, "cc", on the PATH)`, () => {
  const bed = new SteppedBed('clock');
  let crowd: Crowd;
  beforeEach(async () => void (crowd = await Crowd.gather(bed, { leaseMs: 3_000 })));
  afterEach(() => crowd.leave());

  const secondsOf = async (): Promise<number> => Number(((await bed.command('TIME')) as [string, string])[0]);

  it('is seen by Redis', async () => {
    const before = await secondsOf();
    await bed.stepped.step(3_600_000);
    expect((await secondsOf()) - before).toBeGreaterThanOrEqual(3_600);
    await bed.stepped.step(-7_200_000);
    expect((await secondsOf()) - before).toBeLessThan(-3_000);
    await bed.stepped.step(3_600_000);
  });

  it('by two hours between a batch and its repetition: the batch is stored once, though other producers come meanwhile', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Numbered, { value: 0 }, { key: 'one' });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Numbered, { value: 1 }, { key: 'one' });
    await dropped;
    await bed.stepped.step(7_200_000);
    await (await bed.start()).publisher.publish(Numbered, { value: 2 }, { key: 'one' });
    await proxy.pass();
    expect(await published).toMatchObject({ offset: 1, duplicate: false });
    const logs = [0, 1, 2].map((partition) => bed.place(Numbered, 'g', partition).keys.log);
    const lengths = await Promise.all(logs.map(async (log) => Number(await bed.command('XLEN', log))));
    expect(lengths.toSorted()).toEqual([0, 0, 3]);
    await bed.stepped.step(-7_200_000);
  });

  it.each([
    { seconds: 10, members: 4, each: 6 },
    { seconds: -10, members: 4, each: 6 },
    { seconds: 10, members: 16, each: 2 },
    { seconds: -10, members: 16, each: 2 },
  ])('by $seconds s with $members members: no message that they hold counts as crashed or is handled again', async ({ seconds, members, each }) => {
    const die = await crowd.witness();
    await crowd.hold(members, { each });
    await crowd.join('free', { slots: 8 });
    await bed.stepped.step(seconds * 1_000);
    await crowd.flowDuring(die());
    await crowd.finish();
    expect(await crowd.harm()).toEqual(NO_HARM);
  });
});
