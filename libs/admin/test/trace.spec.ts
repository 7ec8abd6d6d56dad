import { describe, expect, it } from '@jest/globals';
import type { Delivery, TracedMessage, TraceOptions } from '@millrace/admin';
import { isDeepStrictEqual } from 'node:util';
import { fixed, withTraceContext } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails, Order } from './topics.js';

const bed = new AdminBed('trace');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

async function traced(options: TraceOptions): Promise<TracedMessage[]> {
  const found: TracedMessage[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await bed.admin.trace({ ...options, cursor });
    found.push(...page.items);
    if (page.nextCursor === null) return found;
    cursor = page.nextCursor;
  }
}

describe('a trace', () => {
  it('has its messages of all topics, by its id, by a message and by a header', async () => {
    const { publisher } = bed.application;
    await publisher.publishMany(Mail, mails(20));
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`;
    const order = await withTraceContext({ traceparent }, () => publisher.publish(Order, { total: 1, customer: 'a' }));
    await withTraceContext({ traceparent }, () => publisher.publish(Mail, { number: 1 }, { headers: { correlation: 'c-1' } }));
    const since = new Date(Date.now() - 60_000);
    const found = await traced({ traceId: TRACE, since, mostEntries: 7 });
    expect(found.map(({ topic, traceId }) => [topic, traceId])).toEqual([['shop.mails', TRACE], ['shop.orders', TRACE]]);
    expect(await traced({ messageId: order.id, since })).toMatchObject([{ topic: 'shop.orders', message: { id: order.id }, traceId: TRACE }]);
    expect(await traced({ header: { name: 'correlation', value: 'c-1' }, since })).toMatchObject([{ topic: 'shop.mails' }]);
    expect(await traced({ traceId: '0'.repeat(32), since })).toEqual([]);
  });

  it('tells what each group has done with a message, and which message caused it', async () => {
    const { publisher } = bed.application;
    const since = new Date(Date.now() - 60_000);
    const headers = { correlation: 'c-2', 'causation-id': 'cause' };
    const fail = async (): Promise<void> => Promise.reject(new Error('as planned'));
    await bed.subscribe({ topic: Mail, group: 'good' }, async () => undefined);
    await bed.subscribe({ topic: Mail, group: 'failing' }, fail);
    await bed.subscribe({ topic: Mail, group: 'holding' }, async (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)));
    await (await bed.subscribe({ topic: Mail, group: 'sleeping' }, async () => undefined)).stop(500);
    await publisher.publish(Mail, { number: 1 }, { headers });
    const deliveries = async (): Promise<unknown> => {
      const [found] = await traced({ header: { name: 'correlation', value: 'c-2' }, since });
      return Object.fromEntries(found!.deliveries!.map(({ group, state, attempt, deadLetter, member }) => {
        return [group, [state, attempt, deadLetter !== null, member !== null]];
      }));
    };
    const states = {
      good: ['settled', null, false, false], failing: ['dead-lettered', null, true, false],
      holding: ['pending', null, false, true], sleeping: ['waiting', null, false, false],
    };
    await waitFor(async () => isDeepStrictEqual(await deliveries(), states), { what: 'each group to have done its part' }).catch(async () => {
      expect(await deliveries()).toEqual(states);
    });
    expect(await traced({ header: { name: 'correlation', value: 'c-2' }, since })).toMatchObject([{ causationId: 'cause' }]);
  });

  it('tells that a message waits for another attempt, is put aside with its key, or was skipped', async () => {
    const { publisher } = bed.application;
    const since = new Date(Date.now() - 60_000);
    const fail = async (): Promise<void> => Promise.reject(new Error('as planned'));
    const done = async (): Promise<void> => undefined;
    const again = { attempts: 5, backoff: fixed('1h'), deadLetterOn: [] };
    await bed.subscribe({ topic: Order, group: 'retrying' }, fail, { retry: again });
    await bed.subscribe({ topic: Order, group: 'parking' }, fail, { ordering: { by: 'key', onExhausted: 'park' } });
    await (await bed.subscribe({ topic: Order, group: 'sought' }, done)).stop(500);
    const headers = { correlation: 'c-3' };
    await publisher.publish(Order, { total: 1, customer: 'a' }, { headers });
    const [sought, seek] = [{ topic: 'shop.orders', group: 'sought' }, { actor: 'ann', to: 'latest' } as const];
    const confirm = confirmationIn(await bed.admin.groups.seek(sought, { ...seek, dryRun: true }));
    await bed.admin.groups.seek(sought, { ...seek, confirm });
    await bed.subscribe({ topic: Order, group: 'late' }, done, { start: 'latest' });
    await publisher.publish(Order, { total: 2, customer: 'a' }, { headers });
    const skipping = { sought: ['skipped', null], late: ['skipped', null] };
    const failed = { retrying: ['retrying', 2], parking: ['parked', null] };
    const states = [{ ...failed, ...skipping }, { ...failed, sought: ['waiting', null], late: ['settled', null] }];
    const deliveries = async (): Promise<unknown> => {
      const found = await traced({ header: { name: 'correlation', value: 'c-3' }, since });
      const stateOf = ({ group, state, attempt }: Delivery): [string, unknown] => [group, [state, attempt]];
      return found.map((one) => Object.fromEntries(one.deliveries!.map(stateOf)));
    };
    await waitFor(async () => isDeepStrictEqual(await deliveries(), states), { what: 'each group to have done its part' }).catch(async () => {
      expect(await deliveries()).toEqual(states);
    });
  });

  it('goes on behind its first page by the cursor alone, since the same moment', async () => {
    await bed.application.publisher.publishMany(Mail, mails(20));
    const { since, nextCursor } = await bed.admin.trace({ traceId: TRACE, mostEntries: 7 });
    const next = await bed.admin.trace({ traceId: TRACE, mostEntries: 7, cursor: nextCursor! });
    expect(next).toMatchObject({ items: [], scanned: 7, since });
    expect(await bed.admin.trace({ traceId: TRACE, mostEntries: 7, since, cursor: nextCursor! })).toEqual(next);
  });

  it('refuses the cursor of another trace, of another moment, and one that was made up', async () => {
    await bed.application.publisher.publishMany(Mail, mails(20));
    const { since, nextCursor } = await bed.admin.trace({ traceId: TRACE, mostEntries: 7 });
    const [cursor, refused] = [nextCursor!, { code: 'INVALID_CURSOR' }];
    await expect(bed.admin.trace({ traceId: '0'.repeat(32), cursor })).rejects.toMatchObject(refused);
    const other = new Date(since.getTime() - 1);
    await expect(bed.admin.trace({ traceId: TRACE, since: other, cursor })).rejects.toMatchObject(refused);
    const place = { topic: 'a', cursor: null };
    for (const position of [{}, place, { ...place, since: 8.65e15 }, { ...place, since: -1 }, { ...place, since: '0' }]) {
      const forged = `${cursor.split('.')[0]!}.${Buffer.from(JSON.stringify(position)).toString('base64url')}`;
      await expect(bed.admin.trace({ traceId: TRACE, cursor: forged })).rejects.toMatchObject(refused);
    }
  });

  it.each([
    ['nothing', {}],
    ['two ways', { messageId: 'a', traceId: TRACE }],
    ['an id that is none', { traceId: 'xyz' }],
    ['a header that is a text', { header: 'a' }],
    ['a header with a value that is a list', { header: { name: 'a', value: ['b'] } }],
    ['a message id that is a list', { messageId: ['a'] }],
  ])('that is asked for by %s is refused', async (_, options) => {
    await expect(bed.admin.trace(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});
