import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BullModule, getQueueToken, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { type CanActivate, type ExecutionContext, Inject, Injectable, Module, Scope, UseGuards } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import type { Queue } from '@millrace/jobs';
import { waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import { fixed, Health, Job, JobContext, JobHandler, JobQueue, MillraceModule } from '@millrace/nestjs';
import { Bench, failureOf, Journal, SendConfirmation } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Job('send-invoice', { queue: 'emails', attempts: 2, backoff: fixed('1ms') })
class SendInvoice {
  @IsString() orderId!: string;
}

@Injectable()
class Notes extends Journal {}

@Module({ imports: [MillraceModule.forFeature([SendConfirmation, SendInvoice])], providers: [Notes], exports: [Notes] })
class Shop {}

describe('@JobHandler', () => {
  it('does the jobs of a queue, validated, with retries', async () => {
    @Injectable()
    class Mailer {
      constructor(readonly notes: Notes) {}

      @JobHandler(SendConfirmation)
      confirm(job: SendConfirmation, context: JobContext): void {
        this.notes.add(`confirm ${job instanceof SendConfirmation} ${job.orderId} ${context.attempt}`);
        if (context.attempt === 1) throw new Error('not yet');
      }

      @JobHandler(SendInvoice)
      invoice({ orderId }: SendInvoice): void {
        this.notes.add(`invoice ${orderId}`);
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Mailer] });
    const jobs = app.get(JobQueue);
    await jobs.enqueue(SendConfirmation, { orderId: 'a' }, { idempotencyKey: 'a' });
    expect(await jobs.enqueue(SendConfirmation, { orderId: 'a' }, { idempotencyKey: 'a' })).toMatchObject({ duplicate: true });
    await jobs.enqueue(SendInvoice, { orderId: 'b' });
    expect((await app.get(Notes).has(3)).sort()).toEqual(['confirm true a 1', 'confirm true a 2', 'invoice b']);
    expect((await failureOf(jobs.enqueue(SendInvoice, {} as SendInvoice))).code).toBe('INVALID_PAYLOAD');
  });

  it('fails an attempt that takes longer than its timeout; health names the handler that goes on, and what it returns is kept', async () => {
    @Injectable()
    class Mailer {
      constructor(readonly notes: Notes) {}

      @JobHandler(SendConfirmation, { timeout: '50ms' })
      async confirm({ orderId }: SendConfirmation, { attempt, signal }: JobContext): Promise<object> {
        this.notes.add(`attempt ${attempt}`);
        if (attempt > 1) return { confirmed: orderId };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        this.notes.add((signal.reason as { code: string }).code);
        return new Promise(() => undefined);
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Mailer] });
    const { id } = await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Notes).has(3)).toEqual(['attempt 1', 'TIMEOUT', 'attempt 2']);
    const queue = app.get<Queue>(getQueueToken('emails'), { strict: false });
    await waitFor(async () => (await queue.getCompletedCount()) === 1, { what: 'the job to be completed' });
    expect((await queue.getJob(id))?.returnvalue).toEqual({ confirmed: 'a' });
    const { ok, workers } = await app.get(Health).ready();
    expect([ok, workers]).toEqual([true, [{ queue: 'emails', problem: null, stuck: [{ name: 'send-confirmation', id, since: expect.any(Date) }] }]]);
  });

  it('is surrounded by guards and may be request-scoped', async () => {
    @Injectable()
    class Guard implements CanActivate {
      constructor(private readonly notes: Notes) {}

      canActivate(context: ExecutionContext): boolean {
        this.notes.add(`guard ${context.switchToRpc().getContext<JobContext>().name}`);
        return true;
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Mailer {
      constructor(readonly notes: Notes, @Inject(REQUEST) private readonly request: unknown) {}

      @UseGuards(Guard)
      @JobHandler(SendConfirmation)
      confirm(_: SendConfirmation, context: JobContext): void {
        this.notes.add(`same ${this.request === context}`);
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Mailer] });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Notes).has(2)).toEqual(['guard send-confirmation', 'same true']);
  });

  it('runs for the selected queues only, and enqueues need the queue registered', async () => {
    @Injectable()
    class Mailer {
      @JobHandler(SendConfirmation)
      confirm(): void {
        throw new Error('not to be called');
      }
    }
    const app = await bench.app({ providers: [Mailer] }, { handlers: 'none' });
    const error = await failureOf(app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' }));
    expect(error.code).toBe('UNKNOWN_QUEUE');
    expect(error.message).toContain('MillraceModule.forFeature([TheJob])');
  });
});

describe('beside @nestjs/bullmq', () => {
  it('injects the queues of forFeature by @InjectQueue, one object however often it is imported', async () => {
    @Injectable()
    class One {
      constructor(@InjectQueue('emails') readonly queue: Queue) {}
    }
    @Injectable()
    class Two {
      constructor(@InjectQueue('emails') readonly queue: Queue) {}
    }
    @Module({ imports: [MillraceModule.forFeature([SendConfirmation])], providers: [One] })
    class First {}
    @Module({ imports: [MillraceModule.forFeature([SendInvoice])], providers: [Two] })
    class Second {}
    const app = await bench.app({ imports: [First, Second] });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(One).queue.getWaitingCount()).toBe(1);
    expect(app.get(Two).queue).toBe(app.get(One).queue);
  });

  it('leaves plain queues and processors of the application as they are', async () => {
    @Processor('images')
    class Images extends WorkerHost {
      constructor(readonly notes: Notes) {
        super();
      }

      process({ name }: { name: string }): Promise<void> {
        this.notes.add(`plain ${name}`);
        return Promise.resolve();
      }
    }
    @Injectable()
    class Uploads {
      constructor(@InjectQueue('images') readonly queue: Queue) {}
    }
    @Injectable()
    class Mailer {
      constructor(readonly notes: Notes) {}

      @JobHandler(SendConfirmation)
      confirm({ orderId }: SendConfirmation): void {
        this.notes.add(`confirm ${orderId}`);
      }
    }
    const connection = { host: '127.0.0.1', port: bench.redis.port };
    const app = await bench.app({
      imports: [BullModule.forRoot({ connection, prefix: 'theirs' }), BullModule.registerQueue({ name: 'images' }), Shop],
      providers: [Images, Uploads, Mailer],
    });
    await app.get(Uploads).queue.add('resize', {});
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect((await app.get(Notes).has(2)).sort()).toEqual(['confirm a', 'plain resize']);
    expect(app.get(Uploads).queue.opts.prefix).toBe('theirs');
  });

  it('lets a plain processor work on a queue that forFeature registered', async () => {
    @Processor('emails')
    class Plain extends WorkerHost {
      constructor(readonly notes: Notes) {
        super();
      }

      process({ name, data }: { name: string; data: { orderId: string } }): Promise<void> {
        this.notes.add(`${name} ${data.orderId}`);
        return Promise.resolve();
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Plain] });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    expect(await app.get(Notes).has(1)).toEqual(['send-confirmation a']);
  });
});
