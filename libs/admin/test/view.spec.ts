import { describe, expect, it } from '@jest/globals';
import { type Admin, createAdmin, type DeadLetterView, type Operation, OPERATIONS, type View } from '@millrace/admin';
import { fixed, Job, Topic, withTraceContext } from '@millrace/core';
import { IsObject, IsOptional, IsString } from 'class-validator';
import { AdminBed } from './admin-bed.js';
import { JobsBed } from './jobs-bed.js';

const bed = new AdminBed('view');

/** Stands in every part of a message that only some may see. */
const CANARY = 'canary-4111-1111';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const target = { topic: 'shop.payments', group: 'g' };
const HIDDEN: View = { payloads: false };
const FORBIDDEN = { code: 'FORBIDDEN' };

@Topic<Payment>('shop.payments', { key: ({ card }) => card['number'] as string })
class Payment {
  @IsObject() card!: Record<string, unknown>;
  @IsOptional() @IsString() note?: string;
}

/** A message that is given up with an error that quotes it, and one that cannot be read. */
async function given(payload: Payment = { card: { number: CANARY } }, error = `cannot charge ${CANARY}`): Promise<void> {
  const thrown = Object.assign(new TypeError(error, { cause: new Error(error) }), { code: 'E_CARD', status: 402, response: { data: { number: CANARY, error } } });
  await bed.subscribe({ topic: Payment, group: 'g' }, () => Promise.reject(thrown));
  const options = { headers: { 'x-card': CANARY, authorization: `Bearer ${CANARY}` }, idempotencyKey: CANARY };
  const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
  await withTraceContext({ traceparent }, () => bed.application.publisher.publish(Payment, payload, options));
  await bed.drained({ topic: Payment, group: 'g' });
}

async function foreign(): Promise<void> {
  await bed.command('XADD', bed.key('shop.payments', 'log'), '*', 'foreign', CANARY);
  await bed.command('XADD', bed.key('shop.payments', 'group:g:dead'), '*', 'foreign', CANARY);
  const [member] = (await bed.admin.groups.info(target)).members;
  const record = JSON.stringify({ sinceMs: 1_790_000_000_000, why: 'all fail', error: `cannot charge ${CANARY}` });
  await bed.command('HSET', bed.key('shop.payments', 'group:g:broken'), member!.name, record);
}

async function letterOf(admin: Admin): Promise<DeadLetterView> {
  return (await admin.deadLetters.browse(target)).items[0]!;
}

/** Runs an operation with all that lets it show as much as it can. */
async function run({ name, method, run: use }: Operation, admin: Admin): Promise<unknown> {
  const { id } = await letterOf(bed.admin);
  const place = { ...target, id, partition: '0', offset: '0' };
  const asked: Readonly<Record<string, object>> = {
    'topics.raisePartitions': { partitions: 2 },
    trace: { traceId: TRACE }, 'messages.find': { where: [{ field: 'id', op: '!=', value: '' }] }, 'groups.seek': { to: 'earliest' }, 'deadLetters.redrive': { all: true }, 'deadLetters.discard': { all: true },
    'messages.publish': { payload: 1 },
  };
  if (name.startsWith('jobs.') || name.startsWith('services.')) return null;
  return use(admin, place, { ...asked[name], ...(method === 'POST' ? { actor: 'ann', dryRun: true } : {}) } as never);
}

describe('a view without payloads', () => {
  it('hides payloads, keys, values of headers and texts of errors in every answer of every operation', async () => {
    await given();
    await foreign();
    await bed.admin.groups.pause(target, { actor: 'ann' });
    const seers = { all: bed.admin, hidden: bed.admin.seenBy(HIDDEN) };
    const telling: string[] = [];
    for (const operation of OPERATIONS) {
      const [all, hidden] = [await run(operation, seers.all), await run(operation, seers.hidden)];
      if (JSON.stringify(all).includes(CANARY)) telling.push(operation.name);
      expect([operation.name, JSON.stringify(hidden)]).toEqual([operation.name, expect.not.stringContaining(CANARY)]);
    }
    expect(telling).toEqual([
      'messages.browse', 'messages.find', 'messages.get', 'groups.list', 'groups.info',
      'deadLetters.browse', 'deadLetters.errors', 'deadLetters.show', 'trace',
    ]);
  });

  it('leaves places, times, types, sizes, the trace and the codes of errors, and says that it hides', async () => {
    await given();
    await foreign();
    const hidden = bed.admin.seenBy(HIDDEN);
    const [full, seen] = [await bed.admin.messages.browse(target), await hidden.messages.browse(target)];
    const headers = { 'x-card': null, authorization: null, traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
    expect(seen.items[0]).toEqual({ ...full.items[0], hidden: true, key: null, idempotencyKey: null, payload: null, headers });
    expect(seen.items[1]).toEqual({ ...full.items[1], hidden: true, found: null });
    const letter = await letterOf(bed.admin);
    expect(await letterOf(hidden)).toEqual({
      ...letter, hidden: true, key: null, payload: null, envelope: null, headers,
      error: { name: 'TypeError', code: 'E_CARD', status: 402, message: null, stack: null },
    });
    const kinds = (await hidden.deadLetters.errors(target)).items;
    expect(kinds[0]).toMatchObject({ error: { name: 'TypeError', code: 'E_CARD', message: null }, fingerprint: letter.fingerprint });
    expect(kinds.every((kind) => kind.hidden)).toBe(true);
    expect((await hidden.trace({ traceId: TRACE })).items).toMatchObject([{ traceId: TRACE, message: { hidden: true } }]);
    expect((await hidden.groups.info(target)).broken).toMatchObject([{ why: 'all fail', error: null, hidden: true }]);
  });

  it.each<[string, object]>([
    ['a key', { key: CANARY }], ['a text', { text: CANARY }], ['a header', { headers: { 'x-card': CANARY } }],
    ['a condition on the key', { where: [{ field: 'key', op: '=', value: CANARY }] }],
    ['a condition on a header', { where: [{ field: 'headers.x-card', op: 'contains', value: '4' }] }],
    ['a condition on the payload', { type: 'none', where: [{ field: 'type', op: '!=', value: null }, { field: 'payload.card.number', op: '<', value: '5' }] }],
  ])('refuses a search by %s', async (_, wanted) => {
    await given();
    const hidden = bed.admin.seenBy(HIDDEN);
    await expect(hidden.messages.browse(target, wanted)).rejects.toMatchObject(FORBIDDEN);
    await expect(hidden.messages.find(target, wanted)).rejects.toMatchObject(FORBIDDEN);
  });

  it('finds by ids, types and the trace, and refuses to trace by another header', async () => {
    await given();
    const hidden = bed.admin.seenBy(HIDDEN);
    const [{ id } = { id: null }] = (await bed.admin.messages.browse(target)).items;
    expect((await hidden.messages.find(target, { id: id! })).items).toMatchObject([{ id, hidden: true }]);
    expect((await hidden.messages.browse(target, { where: [{ field: 'id', op: '=', value: id }] })).items).toHaveLength(1);
    expect((await hidden.trace({ messageId: id! })).items).toHaveLength(1);
    await expect(hidden.trace({ header: { name: 'x-card', value: CANARY } })).rejects.toMatchObject(FORBIDDEN);
  });

  it('shows no trace that is redacted, and finds nothing by it', async () => {
    await given();
    await foreign();
    const hidden = bed.admin.seenBy({ ...HIDDEN, redact: ['Traceparent'] });
    for (const operation of OPERATIONS.filter(({ name }) => name !== 'trace')) {
      const answer = JSON.stringify(await run(operation, hidden));
      expect([operation.name, answer]).toEqual([operation.name, expect.not.stringContaining(TRACE)]);
    }
    expect((await letterOf(hidden)).headers).toEqual({ 'x-card': null, authorization: null, traceparent: null });
    await expect(hidden.trace({ traceId: TRACE })).rejects.toMatchObject(FORBIDDEN);
    const [{ id } = { id: null }] = (await bed.admin.messages.browse(target)).items;
    const { items } = await hidden.trace({ messageId: id! });
    expect(items).toMatchObject([{ traceId: null, message: { headers: { traceparent: null } } }]);
  });

  it('is never widened by a view of it', async () => {
    await given();
    const again = bed.admin.seenBy(HIDDEN).seenBy({ payloads: true });
    expect(await letterOf(again)).toMatchObject({ hidden: true, payload: null });
    const narrow = bed.admin.seenBy({ redact: ['number'] }).seenBy({ redact: ['authorization'] });
    expect((await letterOf(narrow)).redacted).toEqual(expect.arrayContaining(['payload.card.number', 'headers.authorization']));
  });

  it.each<[string, unknown]>([
    ['no names', [1]], ['a text', 'number'], ['a name with a space', ['card number']], ['an empty name', ['']], ['an empty part', ['card..number']],
    ['too many names', Array.from({ length: 101 }, (_, at) => `n${at}`)],
  ])('with %s to redact is refused', (_, redact) => {
    expect(() => bed.admin.seenBy({ redact } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('redaction', () => {
  const redact = ['Card.Number', 'authorization', 'x-card'];

  it('takes fields out of payloads, headers, keys and errors, at any depth, in lists and in JSON texts', async () => {
    const card = { Number: CANARY, holders: [{ card: { number: CANARY, name: 'Ann' } }, { card: { number: CANARY } }] };
    await given({ card: { ...card, number: CANARY }, note: JSON.stringify({ card: { number: CANARY }, total: 1 }) });
    await foreign();
    const admin = bed.admin.seenBy({ redact });
    const [message, unreadable] = (await admin.messages.browse(target)).items;
    expect(message).toMatchObject({
      hidden: false, key: '[redacted]', idempotencyKey: '[redacted]',
      payload: {
        card: { Number: '[redacted]', number: '[redacted]', holders: [{ card: { number: '[redacted]', name: 'Ann' } }, { card: { number: '[redacted]' } }] },
        note: '{"card":{"number":"[redacted]"},"total":1}',
      },
      headers: { authorization: '[redacted]', 'x-card': '[redacted]', traceparent: expect.stringContaining(TRACE) },
    });
    expect(message!.redacted).toEqual(expect.arrayContaining(['payload.card.holders.card.number', 'payload.note.card.number', 'key', 'headers.x-card']));
    expect(unreadable).toMatchObject({ hidden: true, found: null });
    const letter = await letterOf(admin);
    const error = { message: 'cannot charge [redacted]', code: 'E_CARD', response: { number: '[redacted]' } };
    expect(letter).toMatchObject({ hidden: false, envelope: null, error });
    for (const operation of OPERATIONS) {
      const answer = JSON.stringify(await run(operation, admin));
      expect([operation.name, answer]).toEqual([operation.name, expect.not.stringContaining(CANARY)]);
    }
  });

  it('leaves fields of other paths, and messages without such fields', async () => {
    await given({ card: { number: 'c-1', digits: { number: 'kept' } }, note: '{"number":"kept"}' }, 'no');
    const { payload, redacted } = (await bed.admin.seenBy({ redact: ['card.number'] }).messages.browse(target)).items[0]!;
    expect(payload).toEqual({ card: { number: '[redacted]', digits: { number: 'kept' } }, note: '{"number":"kept"}' });
    expect(redacted).toEqual(['payload.card.number', 'key']);
    expect(await bed.admin.seenBy({ redact: ['none'] }).messages.browse(target)).toEqual(await bed.admin.messages.browse(target));
  });

  it('takes short values out of errors where they stand alone, and whole texts where it cannot look for all', async () => {
    await given({ card: { number: 'c-1', pin: 12, names: ['x'.repeat(5_000)], nicks: Array.from({ length: 150 }, (_, index) => `nick-${index}`) } }, 'pin 12 of 123');
    expect((await letterOf(bed.admin.seenBy({ redact: ['pin'] }))).error.message).toBe('pin [redacted] of 123');
    expect((await letterOf(bed.admin.seenBy({ redact: ['names'] }))).error.message).toBe('[redacted]');
    expect((await letterOf(bed.admin.seenBy({ redact: ['nicks'] }))).error.message).toBe('[redacted]');
    expect((await letterOf(bed.admin.seenBy({ redact: ['payload'] }))).payload).toBe('[redacted]');
    expect((await letterOf(bed.admin.seenBy({ redact: ['headers'] }))).headers).toMatchObject({ authorization: '[redacted]', 'x-card': '[redacted]' });
  });

  it.each<[string, object]>([
    ['a text', { text: 'Ann' }], ['a redacted header', { headers: { 'x-card': CANARY } }],
    ['a condition on a redacted field', { where: [{ field: 'payload.card.number', op: 'contains', value: '4' }] }],
    ['a condition inside a redacted field', { where: [{ field: 'payload.card.number.0', op: '=', value: '4' }] }],
    ['a condition on a redacted field of a list', { where: [{ field: 'payload.card.2.number', op: '=', value: '4' }] }],
    ['a condition on a redacted field in other letters', { where: [{ field: 'payload.CARD.nUmber', op: '!=', value: '4' }] }],
    ['a condition on a redacted header', { where: [{ field: 'headers.authorization', op: '!=', value: null }] }],
  ])('refuses a search by %s', async (_, wanted) => {
    await given();
    await expect(bed.admin.seenBy({ redact }).messages.browse(target, wanted)).rejects.toMatchObject(FORBIDDEN);
  });

  it('lets a search find by what is shown alone', async () => {
    await given({ card: { number: CANARY, name: 'Ann' }, note: JSON.stringify({ card: { number: CANARY } }) });
    const admin = bed.admin.seenBy({ redact });
    const found = async (wanted: object): Promise<number> => (await admin.messages.browse(target, wanted)).items.length;
    expect(await found({ where: [{ field: 'payload.card.name', op: '=', value: 'Ann' }] })).toBe(1);
    expect(await found({ where: [{ field: 'payload.note', op: 'contains', value: CANARY }] })).toBe(0);
    expect(await found({ key: CANARY })).toBe(0);
    await expect(bed.admin.seenBy({ redact: ['key'] }).messages.browse(target, { key: CANARY })).rejects.toMatchObject(FORBIDDEN);
  });
});

@Job<Charge>('charge', { queue: 'mails', attempts: 1, backoff: fixed('1ms') })
class Charge {
  @IsObject() card!: Record<string, unknown>;
  @IsOptional() @IsString() outcome?: string;
}

describe('jobs', () => {
  const queues = new JobsBed(bed);
  const MAILS = { queue: 'mails' };
  const HIDDEN_PARTS = {
    data: null, options: null, idempotencyKey: null, progress: null, result: null, error: null, stacks: null, log: null,
  };

  function admin(): Admin {
    const { streams } = bed.application;
    return createAdmin({ redis: queues.redis, prefix: bed.prefix, streams, queues: queues.directory });
  }

  /** A job that failed and one that succeeded: each part of them that the application makes has the canary. */
  async function charged(): Promise<{ readonly failed: string; readonly completed: string }> {
    interface Context {
      log(line: string): Promise<unknown>;
      progress(value: object): Promise<void>;
    }
    const handle = async ({ outcome }: Charge, context: Context): Promise<unknown> => {
      await context.log(`charging ${CANARY}`);
      await context.progress({ at: CANARY });
      if (outcome === 'fails') throw new Error(`cannot charge ${CANARY}`);
      return { receipt: { number: CANARY } };
    };
    await queues.work(Charge, handle as never);
    const card = { number: CANARY };
    const failed = await queues.jobs.enqueue(Charge, { card, outcome: 'fails' }, { idempotencyKey: CANARY });
    const completed = await queues.jobs.enqueue(Charge, { card, outcome: 'ends' });
    await queues.until('mails', 'failed', 1);
    await queues.until('mails', 'completed', 1);
    return { failed: failed.id, completed: completed.id };
  }

  it('show neither data nor what may quote them to those who may not see payloads', async () => {
    const ids = await charged();
    const [all, hidden] = [admin().jobs!, admin().seenBy(HIDDEN).jobs!];
    for (const [state, job] of Object.entries(ids) as ['failed' | 'completed', string][]) {
      const [full, seen] = [await all.get({ ...MAILS, job }), await hidden.get({ ...MAILS, job })];
      for (const part of ['data', 'log', 'progress', ...(state === 'failed' ? ['error', 'stacks', 'idempotencyKey'] : ['result'])] as const) {
        expect([part, JSON.stringify(full![part as 'data'])]).toEqual([part, expect.stringContaining(CANARY)]);
      }
      expect(full!.options).not.toBeNull();
      expect(seen).toEqual({ ...full, ...HIDDEN_PARTS, hidden: true });
      const { items } = await hidden.browse(MAILS, { state });
      expect(items).toMatchObject([{ id: job, state, ...HIDDEN_PARTS, hidden: true }]);
      expect(JSON.stringify([seen, items])).not.toContain(CANARY);
    }
  });

  it('have [redacted] in the place of redacted fields, and of what quotes them', async () => {
    const { failed, completed } = await charged();
    const redacting = admin().seenBy({ redact: ['number'] }).jobs!;
    const one = await redacting.get({ ...MAILS, job: failed });
    expect(one).toMatchObject({
      hidden: false, data: { card: { number: '[redacted]' }, outcome: 'fails' }, idempotencyKey: '[redacted]', progress: { at: '[redacted]' },
      error: 'cannot charge [redacted]', stacks: [expect.stringContaining('cannot charge [redacted]')], log: { lines: ['charging [redacted]'] },
    });
    expect(one!.redacted).toEqual(expect.arrayContaining(['data.card.number', 'error', 'stacks', 'log', 'progress.at', 'idempotencyKey']));
    const other = await redacting.get({ ...MAILS, job: completed });
    expect(other).toMatchObject({ hidden: false, result: { receipt: { number: '[redacted]' } } });
    const lists = [await redacting.browse(MAILS, { state: 'failed' }), await redacting.browse(MAILS, { state: 'completed' })];
    expect(lists).toMatchObject([{ items: [{ data: { card: { number: '[redacted]' } } }] }, { items: [{ result: { receipt: { number: '[redacted]' } } }] }]);
    expect(JSON.stringify([one, other, lists])).not.toContain(CANARY);
  });

  it('show no trace and no key that is redacted, in their options neither', async () => {
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
    const enqueue = () => queues.jobs.enqueue(Charge, { card: {} }, { idempotencyKey: CANARY });
    const { id: job } = await withTraceContext({ traceparent }, enqueue);
    expect(await admin().jobs!.get({ ...MAILS, job })).toMatchObject({ options: { traceparent, idempotencyKey: CANARY } });
    const seen = await admin().seenBy({ redact: ['traceparent', 'idempotencyKey'] }).jobs!.get({ ...MAILS, job });
    expect(seen).toMatchObject({ hidden: false, options: { traceparent: '[redacted]', idempotencyKey: '[redacted]' } });
    expect(JSON.stringify(seen)).not.toMatch(new RegExp(`${TRACE}|${CANARY}`));
  });
});
