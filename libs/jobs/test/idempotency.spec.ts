import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { IDEMPOTENCY_WINDOW_MS, JobQueue } from '../src/index.js';
import { SendInvoice, SendMail } from './contracts.js';
import { handler, JobsFixture } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

const waiting = async () => (await fixture.jobs.counts('emails')).waiting;
const mismatch = { code: 'IDEMPOTENCY_MISMATCH', name: 'IdempotencyMismatchError' };

/** How much longer Redis remembers the key of a stored job, in milliseconds. */
async function rememberedMs(id: string): Promise<number> {
  const job = await fixture.stored('emails', id);
  const client = await fixture.queue('emails').getBackend().client;
  return (client as unknown as { pttl(key: string): Promise<number> }).pttl(fixture.queue('emails').toKey(`de:${job.deduplicationId}`));
}

describe('an idempotency key', () => {
  it('stores one job and answers the second enqueue with the first id', async () => {
    const before = await waiting();
    const first = await fixture.jobs.enqueue(SendMail, { to: 'a', copies: 1 }, { idempotencyKey: 'one' });
    const second = await fixture.jobs.enqueue(SendMail, { copies: 1, to: 'a' }, { idempotencyKey: 'one' });
    expect(first.duplicate).toBe(false);
    expect(second).toEqual({ id: first.id, duplicate: true });
    expect((await waiting()) - before).toBe(1);
  });

  it('is taken once by 50 concurrent enqueues over 5 connections', async () => {
    const before = await waiting();
    const queues = Array.from({ length: 5 }, () => fixture.newQueue('emails'));
    const clients = queues.map((queue) => new JobQueue(() => queue));
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => clients[index % 5]!.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'fifty' })),
    );
    await Promise.all(queues.map((queue) => queue.close()));
    expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    expect((await waiting()) - before).toBe(1);
  });

  it('refuses another payload and leaves the first job as it is', async () => {
    const first = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'mismatch' });
    const before = await waiting();
    await expect(fixture.jobs.enqueue(SendMail, { to: 'b' }, { idempotencyKey: 'mismatch' })).rejects.toMatchObject(mismatch);
    expect(await waiting()).toBe(before);
    expect((await fixture.stored('emails', first.id)).data).toEqual({ to: 'a' });
  });

  it('lets exactly one payload win when several race', async () => {
    const before = await waiting();
    const results = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((to) => fixture.jobs.enqueue(SendMail, { to }, { idempotencyKey: 'race' })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await waiting()) - before).toBe(1);
  });

  it('is a key of its own for each job of a queue', async () => {
    const mail = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'shared' });
    const invoice = await fixture.jobs.enqueue(SendInvoice, { to: 'b' }, { idempotencyKey: 'shared' });
    expect([mail.duplicate, invoice.duplicate]).toEqual([false, false]);
  });

  it.each(['a:b:c', '7', '0:1', '{x}', 'null\u0000byte', '💶'.repeat(64), 'line\r\nbreak', "'); redis.call('FLUSHALL') --"])(
    'may be %j',
    async (idempotencyKey) => {
      const first = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey });
      const second = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey });
      expect([first.duplicate, second]).toEqual([false, { id: first.id, duplicate: true }]);
      expect((await fixture.stored('emails', first.id)).opts).toMatchObject({ idempotencyKey });
    },
  );

  it('still counts when the job has completed and its record was removed', async () => {
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'finished' });
    await fixture.worker([handler(SendMail, () => undefined), handler(SendInvoice, () => undefined)]);
    expect(await (await fixture.finished('emails', id)).getState()).toBe('completed');
    const next = await fixture.queue('emails').add('send-mail', { to: 'b' }, { removeOnComplete: { count: 1 } });
    await fixture.finished('emails', next.id!);
    await expect(fixture.stored('emails', id)).rejects.toThrow('There is no job');
    const keyed = { idempotencyKey: 'finished' };
    await expect(fixture.jobs.enqueue(SendMail, { to: 'a' }, keyed)).resolves.toEqual({ id, duplicate: true });
    await expect(fixture.jobs.enqueue(SendMail, { to: 'b' }, keyed)).rejects.toMatchObject(mismatch);
  });

  it('is remembered for a day, beyond the delay and the retries', async () => {
    // SendMail: 2 retries of 5 ms; SendInvoice: 4 of 1 hour.
    const mail = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'window', delay: '2h' });
    const invoice = await fixture.jobs.enqueue(SendInvoice, { to: 'a' }, { idempotencyKey: 'window' });
    const spans = [[mail, 7_200_010], [invoice, 4 * 3_600_000]] as const;
    for (const [{ id }, beyondMs] of spans) {
      const left = await rememberedMs(id);
      expect(left).toBeLessThanOrEqual(IDEMPOTENCY_WINDOW_MS + beyondMs);
      expect(left).toBeGreaterThan(IDEMPOTENCY_WINDOW_MS + beyondMs - 60_000);
    }
  });

  it('is forgotten when the job is removed by hand', async () => {
    const first = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'removed' });
    await (await fixture.stored('emails', first.id)).remove();
    const second = await fixture.jobs.enqueue(SendMail, { to: 'b' }, { idempotencyKey: 'removed' });
    expect(second.duplicate).toBe(false);
  });

  it('works inside one enqueueMany', async () => {
    const before = await waiting();
    const item = (to: string, idempotencyKey: string) => ({ payload: { to }, idempotencyKey });
    const [first, twin, other] = await fixture.jobs.enqueueMany(SendMail, [item('a', 'm1'), item('a', 'm1'), item('a', 'm2')]);
    expect([first!.duplicate, twin!, other!.duplicate]).toEqual([false, { id: first!.id, duplicate: true }, false]);
    const mixed = [item('a', 'm3'), item('b', 'm1'), item('a', 'm4')];
    await expect(fixture.jobs.enqueueMany(SendMail, mixed)).rejects.toMatchObject(mismatch);
    expect((await waiting()) - before).toBe(4);
  });
});
