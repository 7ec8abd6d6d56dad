import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BullModule, getQueueToken, InjectQueue, Processor, QueueEventsHost, QueueEventsListener, type RegisterQueueOptions, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import type { Queue } from '@millrace/jobs';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import { JobHandler, JobQueue, MillraceModule } from '@millrace/nestjs';
import { Bench, failureOf, Journal, SendConfirmation } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
let theirs: TestRedis;
beforeAll(async () => void ([bench, theirs] = await Promise.all([Bench.start(), startTestRedis()])));
afterEach(() => bench.closeApps());
afterAll(() => Promise.all([bench.stop(), theirs.stop()]));

@Injectable()
class Mailer extends Journal {
  @JobHandler(SendConfirmation)
  confirm({ orderId }: SendConfirmation): void {
    this.add(orderId);
  }
}

@Injectable()
class Existing {
  constructor(@InjectQueue('emails') readonly queue: Queue) {}
}

@Processor('emails')
class Plain extends WorkerHost {
  process(): Promise<void> {
    return Promise.resolve();
  }
}

@QueueEventsListener('emails')
class Listener extends QueueEventsHost {}

const feature = MillraceModule.forFeature([SendConfirmation]);
const at = ({ port }: TestRedis): { host: string; port: number } => ({ host: '127.0.0.1', port });

type Options = Parameters<Bench['module']>[0];

/** An application that has BullMQ from before, with a queue of the same name; what it says at boot. */
async function beside(bull: RegisterQueueOptions, metadata: ModuleMetadata = {}, options: Options = {}): Promise<Beside> {
  @Module({ imports: [BullModule.registerQueue(bull)], providers: [Existing], exports: [Existing] })
  class Before {}
  const kept = new Kept();
  const imports = [feature, Before, ...(metadata.imports ?? [])];
  const builder = bench.builder({ imports, providers: metadata.providers ?? [] }, options);
  const app = await bench.start(builder, kept);
  return { app, warnings: kept.entries.filter((line) => line.startsWith('warn ')) };
}

interface Beside {
  readonly app: Awaited<ReturnType<Bench['start']>>;
  readonly warnings: readonly string[];
}

describe('a queue that the application registers itself, with the name of one of Millrace', () => {
  it.each([
    ['under another prefix', () => ({ name: 'emails', connection: at(bench.redis) }), "prefix 'bull'"],
    ['on another server', () => ({ name: 'emails', connection: at(theirs), prefix: '{shared}' }), "prefix '{shared}' of 127.0.0.1:"],
    ['in another database', () => ({ name: 'emails', connection: { ...at(bench.redis), db: 3 }, prefix: '{shared}' }), '/3'],
  ])('%s, is another one: jobs go where the workers read, and that is said at boot', async (_, bull, place) => {
    const { app, warnings } = await beside(bull(), { providers: [Mailer] }, { prefix: 'shared' });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Mailer).has(1)).toEqual(['a']);
    await app.get(Existing).queue.add('theirs', {});
    expect(await app.get(Existing).queue.getWaitingCount()).toBe(1);
    expect(warnings).toEqual([expect.stringContaining("Queue 'emails' is registered by BullModule.registerQueue, too")]);
    expect(warnings[0]).toContain(place);
  });

  it('at the same place is the same queue, and there is nothing to say', async () => {
    const bull = { name: 'emails', connection: { ...at(bench.redis), host: 'localhost' }, prefix: '{same}' };
    const { app, warnings } = await beside(bull, {}, { prefix: 'same' });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Existing).queue.getWaitingCount()).toBe(1);
    expect(warnings).toEqual([]);
  });

  it('is said at boot also where jobs are handled and none are enqueued', async () => {
    const kept = new Kept();
    const bull = BullModule.registerQueue({ name: 'emails', connection: at(bench.redis) });
    await bench.start(bench.builder({ imports: [bull], providers: [Mailer] }), kept);
    expect(kept.entries).toContainEqual(expect.stringMatching(/^warn Queue 'emails' is registered by BullModule/));
  });

  it.each([['@Processor', Plain], ['@QueueEventsListener', Listener]])('with a %s is refused: nobody can say which of the two is meant', async (_, type) => {
    const error = await failureOf(beside({ name: 'emails', connection: at(bench.redis) }, { providers: [type] }));
    expect(error.code).toBe('CONTRACT_CONFLICT');
    expect(error.message).toContain(type.name);
    expect(error.message).toContain("prefix 'bull'");
  });

  it('and a configuration under the key millrace change nothing', async () => {
    const imports = [BullModule.forRoot('millrace', { connection: at(theirs), prefix: 'theirs' })];
    const { app } = await beside({ name: 'emails', configKey: 'millrace' }, { imports, providers: [Mailer] });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Mailer).has(1)).toEqual(['a']);
    expect(app.get<Queue>(getQueueToken('emails'), { strict: false }).name).toBe('emails');
  });
});
