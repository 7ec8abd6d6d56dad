import { describe, expect, it } from '@jest/globals';
import { QueueDirectory } from '@millrace/jobs';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Bill, JobsBed, Mail } from './jobs-bed.js';

const bed = new AdminBed('jobs');
const queues = new JobsBed(bed);
const ANN = { actor: 'ann' };
const MAILS = { queue: 'mails' };

describe('queues', () => {
  it('are found in Redis by a process that has none of its own, with their jobs by state', async () => {
    await queues.enqueue(Mail, 2);
    await queues.enqueue(Mail, 1, { delay: '1h' });
    await queues.enqueue(Mail, 1, { priority: 5 });
    await queues.enqueue(Bill, 1);
    const { items, complete, nextCursor } = await queues.admin.list();
    const found = [...items].sort((one, other) => (one.queue < other.queue ? -1 : 1));
    expect(found).toMatchObject([
      { queue: 'bills', counts: { waiting: 1 }, paused: false, schedulers: 0, problem: null },
      { queue: 'mails', counts: { waiting: 2, prioritized: 1, active: 0, delayed: 1, completed: 0, failed: 0, 'waiting-children': 0 } },
    ]);
    expect([complete, nextCursor]).toEqual([true, null]);
  });

  it('come in pages of a bounded number of looks, and never by KEYS', async () => {
    await queues.enqueue(Mail, 1);
    await queues.enqueue(Bill, 1);
    for (let from = 0; from < 30_000; from += 5_000) {
      await bed.command('MSET', ...Array.from({ length: 5_000 }, (_, index) => [`other:${from + index}`, 'x']).flat());
    }
    const names: string[] = [];
    let [pages, cursor]: [number, string | undefined] = [0, undefined];
    const commands = await bed.commandsOf(async () => {
      do {
        const page = await queues.admin.list({ limit: 1, cursor });
        expect(page.items.length).toBeLessThanOrEqual(1);
        names.push(...page.items.map(({ queue }) => queue));
        cursor = page.nextCursor ?? undefined;
        pages += 1;
      } while (cursor !== undefined);
    });
    expect([...new Set(names)].sort()).toEqual(['bills', 'mails']);
    expect(pages).toBeGreaterThan(2);
    const scans = commands.filter(([name]) => name === 'scan');
    expect(scans.length).toBeLessThanOrEqual(20 * pages);
    expect(scans.every((scan) => scan.includes('1000'))).toBe(true);
    expect(commands.filter(([name]) => name === 'keys')).toEqual([]);
    await bed.command('FLUSHDB');
  });

  it('that the process has are listed first, though they never had a job', async () => {
    await queues.enqueue(Bill, 1);
    const own = { names: ['mails'], find: () => queues.queue('mails') };
    const directory = new QueueDirectory({ redis: queues.redis, ...queues.place, own });
    const { items } = await queues.adminOn(directory).list();
    await directory.close();
    expect(items.map(({ queue }) => queue)).toEqual(['mails', 'bills']);
  });

  it('that are not there are no queues, nor are names that are none', async () => {
    await expect(queues.admin.info('nothing')).rejects.toMatchObject({ code: 'UNKNOWN_JOB_QUEUE' });
    await expect(queues.admin.browse({ queue: 'a b' })).rejects.toMatchObject({ code: 'INVALID_NAME' });
    await expect(queues.admin.browse(MAILS, { state: 'lost' as never })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(queues.admin.list({ cursor: 'x' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('that cannot be read hide no other', async () => {
    await queues.enqueue(Bill, 1);
    await bed.command('SET', `{${bed.prefix}}:mails:wait`, 'no list');
    await bed.command('HSET', `{${bed.prefix}}:mails:meta`, 'version', '1');
    const { items } = await queues.admin.list();
    await bed.command('DEL', `{${bed.prefix}}:mails:wait`);
    expect(items).toEqual(expect.arrayContaining([
      expect.objectContaining({ queue: 'bills', problem: null }),
      expect.objectContaining({ queue: 'mails', counts: null, problem: { code: 'REDIS_FAILED', message: expect.any(String) as unknown } }),
    ]));
  });
});

describe('jobs', () => {
  it('that are in one state come in pages: waiting ones in their turn, failed ones the newest first', async () => {
    const ids = await queues.failed(5);
    const waiting = await queues.enqueue(Mail, 3);
    const first = await queues.admin.browse(MAILS, { limit: 2 });
    const second = await queues.admin.browse(MAILS, { limit: 4, cursor: first.nextCursor! });
    expect(first).toMatchObject({ scanned: 2, complete: false, items: [{ state: 'failed', error: 'on fire', log: null }, {}] });
    expect(second).toMatchObject({ scanned: 3, complete: true, nextCursor: null });
    expect([...first.items, ...second.items].map(({ id }) => id).sort()).toEqual([...ids].sort());
    const turn = await queues.admin.browse(MAILS, { state: 'waiting' });
    expect(turn.items.map(({ id, data }) => [id, data])).toEqual(waiting.map((id, number) => [id, { number }]));
    await expect(queues.admin.browse(MAILS, { state: 'waiting', cursor: first.nextCursor! })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('make a page shorter when they are large', async () => {
    const text = 'x'.repeat(900_000);
    for (let number = 0; number < 8; number += 1) await queues.queue('mails').add('send-mail', { text });
    const page = await queues.admin.browse(MAILS, { state: 'waiting' });
    expect(page.items).toHaveLength(5);
    const rest = await queues.admin.browse(MAILS, { state: 'waiting', cursor: page.nextCursor! });
    expect(rest).toMatchObject({ items: [{}, {}, {}], complete: true });
  });

  it('are shown with data, options, attempts, error, stack, and their log in parts', async () => {
    const [id] = await queues.enqueue(Mail, 1, { idempotencyKey: 'k-1' });
    await queues.work(Mail, async (_payload, context) => {
      for (const line of ['one', 'two', 'three']) await context.log(line);
      throw new Error('on fire');
    });
    await queues.until('mails', 'failed', 1);
    const job = await queues.admin.get({ ...MAILS, job: id! }, { logFrom: 1, logLines: 1 });
    expect(job).toMatchObject({
      queue: 'mails', id, name: 'send-mail', state: 'failed', data: { number: 0 }, idempotencyKey: 'k-1', attempts: 1, mostAttempts: 1,
      error: 'on fire', stacks: [expect.stringContaining('on fire')], log: { lines: ['two'], count: 3 }, finishedAt: expect.any(Date) as unknown,
      options: { attempts: 1 },
    });
    expect(await queues.admin.get({ ...MAILS, job: 'none' })).toBeNull();
    await expect(queues.admin.get({ ...MAILS, job: 'a\nb' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('know their state in every list, and nobody reads a whole list for it', async () => {
    const [waiting] = await queues.enqueue(Mail, 1);
    const [prioritized] = await queues.enqueue(Mail, 1, { priority: 3 });
    const [delayed] = await queues.enqueue(Mail, 1, { delay: '1h' });
    const states: (string | undefined)[] = [];
    const commands = await bed.commandsOf(async () => {
      for (const job of [waiting!, prioritized!, delayed!]) states.push((await queues.admin.get({ ...MAILS, job }))?.state);
    });
    expect(states).toEqual(['waiting', 'prioritized', 'delayed']);
    expect(commands.filter(([name, key]) => name === 'lrange' && key?.endsWith(':wait'))).toEqual([]);
    await queues.work(Mail, () => new Promise(() => undefined));
    await queues.until('mails', 'active', 2);
    expect((await queues.admin.get({ ...MAILS, job: waiting! }))?.state).toBe('active');
  });

  it('that failed are done again, one by one, as if they had never been tried', async () => {
    const [first, second] = await queues.failed(3);
    const ids = [first!, second!, 'none'];
    const dry = await queues.admin.retry(MAILS, { ...ANN, ids, dryRun: true });
    expect(dry).toEqual({ dryRun: true, impact: { jobs: 3, inState: 3 }, confirmation: null });
    const done = await queues.admin.retry(MAILS, { ...ANN, ids });
    const items = [{ id: first, outcome: 'done' }, { outcome: 'done' }, { id: 'none', outcome: 'missing' }];
    expect(done).toMatchObject({ audited: true, partial: true, result: { done: 2, failure: null, items } });
    expect(await queues.admin.get({ ...MAILS, job: first! })).toMatchObject({ state: 'waiting', attempts: 0, error: null });
    const again = await queues.admin.retry(MAILS, { ...ANN, ids: [first!] });
    expect(again).toMatchObject({ result: { done: 0, items: [{ outcome: 'elsewhere' }] } });
    await queues.work(Mail, () => Promise.resolve());
    await queues.until('mails', 'completed', 2);
  });

  it('that failed are all done again up to a limit, the oldest first, with the confirmation of a dry run', async () => {
    await queues.failed(5);
    await expect(queues.admin.retry(MAILS, { ...ANN, all: true })).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    const confirm = confirmationIn(await queues.admin.retry(MAILS, { ...ANN, all: true, limit: 3, dryRun: true }));
    const done = await queues.admin.retry(MAILS, { ...ANN, all: true, limit: 3, confirm });
    expect(done).toMatchObject({ impact: { jobs: 3, inState: 5 }, result: { done: 3 }, partial: false });
    await expect(queues.admin.retry(MAILS, { ...ANN, all: true, limit: 3, confirm })).rejects.toMatchObject({ code: 'CONFIRMATION_STALE' });
    await expect(queues.admin.retry(MAILS, ANN)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(queues.admin.retry(MAILS, { ...ANN, all: true, ids: ['a'] })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect((await queues.admin.info('mails')).counts).toMatchObject({ waiting: 3, failed: 2 });
  });

  it('that failed after the dry run are left, and it holds', async () => {
    await queues.failed(2);
    const confirm = confirmationIn(await queues.admin.retry(MAILS, { ...ANN, all: true, dryRun: true }));
    await queues.enqueue(Mail, 1);
    const worker = await queues.work(Mail, () => Promise.reject(new Error('later')));
    await queues.until('mails', 'failed', 3);
    await worker.stop(0);
    expect(await queues.admin.retry(MAILS, { ...ANN, all: true, confirm })).toMatchObject({ result: { done: 2 } });
    expect((await queues.admin.browse(MAILS)).items).toMatchObject([{ error: 'later' }]);
  });

  it('that are delayed become due at once', async () => {
    const [id] = await queues.enqueue(Mail, 2, { delay: '1h' });
    await queues.enqueue(Mail, 1);
    const [waiting] = (await queues.admin.browse(MAILS, { state: 'waiting' })).items;
    const done = await queues.admin.promote(MAILS, { ...ANN, ids: [id!, waiting!.id] });
    expect(done).toMatchObject({ partial: true, result: { done: 1, items: [{ outcome: 'done' }, { outcome: 'elsewhere' }] } });
    expect((await queues.admin.info('mails')).counts).toMatchObject({ waiting: 2, delayed: 1 });
  });

  it('are removed one at a time, and not from the hands of a worker', async () => {
    const [id, key] = [(await queues.enqueue(Mail, 1, { idempotencyKey: 'k-1' }))[0]!, { number: 0 }];
    const dry = await queues.admin.remove({ ...MAILS, job: id }, { ...ANN, dryRun: true });
    expect(dry).toMatchObject({ impact: { name: 'send-mail', state: 'waiting' } });
    expect(await queues.admin.remove({ ...MAILS, job: id }, { ...ANN, confirm: confirmationIn(dry) })).toMatchObject({ result: { outcome: 'done' } });
    expect(await queues.jobs.enqueue(Mail, key, { idempotencyKey: 'k-1' })).toMatchObject({ duplicate: false });
    await queues.work(Mail, () => new Promise(() => undefined));
    await queues.until('mails', 'active', 1);
    const [held] = (await queues.admin.browse(MAILS, { state: 'active' })).items;
    const target = { ...MAILS, job: held!.id };
    const confirm = confirmationIn(await queues.admin.remove(target, { ...ANN, dryRun: true }));
    expect(await queues.admin.remove(target, { ...ANN, confirm })).toMatchObject({ result: { outcome: 'held' } });
  });
});

describe('a queue', () => {
  it('is paused for the workers of all processes, and resumed', async () => {
    await queues.enqueue(Mail, 1);
    const dry = await queues.admin.pause(MAILS, { ...ANN, dryRun: true });
    expect(dry).toMatchObject({ impact: { paused: false, counts: { waiting: 1 } } });
    expect(await queues.admin.pause(MAILS, ANN)).toMatchObject({ result: { changed: true, active: 0 } });
    expect(await queues.admin.pause(MAILS, ANN)).toMatchObject({ result: { changed: false } });
    const done: unknown[] = [];
    await queues.work(Mail, (payload) => Promise.resolve(done.push(payload)));
    await queues.work(Bill, () => Promise.resolve());
    await queues.enqueue(Bill, 1);
    await queues.until('bills', 'completed', 1);
    expect([done, (await queues.admin.info('mails')).paused]).toEqual([[], true]);
    expect(await queues.admin.resume(MAILS, ANN)).toMatchObject({ impact: { paused: true }, result: { changed: true } });
    await queues.until('mails', 'completed', 1);
  });

  it('is drained in steps of what nobody has begun, no more than its dry run counted', async () => {
    await queues.enqueue(Mail, 30);
    await queues.enqueue(Mail, 2, { priority: 1 });
    await queues.enqueue(Mail, 1, { delay: '1h' });
    await expect(queues.admin.drain(MAILS, ANN)).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    const dry = await queues.admin.drain(MAILS, { ...ANN, dryRun: true });
    expect(dry).toMatchObject({ impact: { jobs: 32, waiting: 30, prioritized: 2, delayed: 0 } });
    await queues.enqueue(Mail, 3);
    let done: unknown;
    const commands = await bed.commandsOf(async () => {
      done = await queues.admin.drain(MAILS, { ...ANN, confirm: confirmationIn(dry) });
    });
    expect(done).toMatchObject({ result: { removed: 32, left: 3, failure: null } });
    expect(commands.filter(([name, , from, to]) => name === 'lrange' && from === '0' && to === '-1')).toEqual([]);
    expect((await queues.admin.info('mails')).counts).toMatchObject({ waiting: 1, prioritized: 2, delayed: 1 });
    await expect(queues.admin.drain(MAILS, { ...ANN, delayed: true, confirm: confirmationIn(dry) })).rejects.toMatchObject({ code: 'CONFIRMATION_STALE' });
    await queues.enqueue(Mail, 40);
    await expect(queues.admin.drain(MAILS, { ...ANN, confirm: confirmationIn(dry) })).rejects.toMatchObject({ code: 'CONFIRMATION_STALE' });
    expect((await queues.admin.info('mails')).counts).toMatchObject({ waiting: 41 });
  });

  it('keeps the next runs of its schedulers when it is drained, and tells of them', async () => {
    await queues.queue('mails').upsertJobScheduler('hourly', { every: 3_600_000 }, { name: 'send-mail', data: { number: 1 } });
    await queues.queue('mails').upsertJobScheduler('nightly', { pattern: '0 3 * * *', tz: 'UTC' }, { name: 'send-mail', data: { number: 2 } });
    await queues.enqueue(Mail, 1, { delay: '1h' });
    const confirm = confirmationIn(await queues.admin.drain(MAILS, { ...ANN, delayed: true, dryRun: true }));
    await queues.admin.drain(MAILS, { ...ANN, delayed: true, confirm });
    const { items, complete } = await queues.admin.schedulers(MAILS);
    expect(complete).toBe(true);
    expect([...items].sort((one, other) => (one.key < other.key ? -1 : 1))).toMatchObject([
      { key: 'hourly', job: 'send-mail', everyMs: 3_600_000, pattern: null, nextAt: expect.any(Date) as unknown, made: expect.any(Number) as unknown },
      { key: 'nightly', pattern: '0 3 * * *', timezone: 'UTC', everyMs: null, lastAt: null },
    ]);
    expect((await queues.admin.info('mails'))).toMatchObject({ schedulers: 2, counts: { delayed: expect.any(Number) as unknown } });
    expect(await queues.admin.schedulers(MAILS, { limit: 1 })).toMatchObject({ complete: false, items: [{}] });
  });

  it('has its changes in the audit stream, with who made them', async () => {
    const ids = await queues.failed(1);
    await queues.admin.retry(MAILS, { ...ANN, ids });
    const { items } = await bed.admin.audit.list();
    expect(items).toMatchObject([
      { phase: 'ended', actor: 'ann', action: 'jobs.retry', target: MAILS, outcome: { ok: true, after: { done: 1 } } },
      { phase: 'begun', terms: { ids } },
    ]);
  });
});
