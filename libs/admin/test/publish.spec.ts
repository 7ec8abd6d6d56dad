import { describe, expect, it } from '@jest/globals';
import { AdminBed } from './admin-bed.js';

const bed = new AdminBed('publish');
const ANN = { actor: 'ann' };
const TOPIC = { topic: 'shop.notes' };

async function create(partitions = 1): Promise<void> {
  await bed.admin.topics.create(TOPIC, { ...ANN, partitions });
}

describe('a message that an operator publishes', () => {
  it('is stored on a topic that is known by its name alone, with its key, headers and type', async () => {
    await create();
    const message = { ...ANN, payload: { total: 5 }, key: 'c-7', headers: { reason: 'test' }, type: 'Note' };
    const dry = await bed.admin.messages.publish(TOPIC, { ...message, dryRun: true });
    expect(dry).toMatchObject({ impact: { bytes: 11, partitions: 1, groups: [] } });
    const done = await bed.admin.messages.publish(TOPIC, message);
    const [stored] = (await bed.admin.messages.browse(TOPIC)).items;
    expect(stored).toMatchObject({ payload: { total: 5 }, key: 'c-7', headers: { reason: 'test' }, type: 'Note' });
    expect(done).toMatchObject({ audited: true, result: { id: stored!.id, partition: 0, offset: 0, duplicate: false } });
  });

  it('has its id in the audit stream, and not its payload', async () => {
    await create();
    const done = await bed.admin.messages.publish(TOPIC, { ...ANN, payload: { secret: 'a-secret' } });
    const { id } = (done as unknown as { result: { id: string } }).result;
    const { items } = await bed.admin.audit.list({ limit: 1 });
    expect(items).toMatchObject([{ action: 'messages.publish', target: TOPIC, outcome: { after: { id } } }]);
    expect(JSON.stringify(items)).not.toContain('a-secret');
  });

  it('is guessed by no key of somebody who may not see all of it, and no error in the audit stream quotes it to them', async () => {
    await create();
    await bed.admin.messages.publish(TOPIC, { ...ANN, payload: { pin: 1 }, idempotencyKey: 'order-7' });
    await expect(bed.admin.messages.publish(TOPIC, { ...ANN, payload: { pin: 2 }, idempotencyKey: 'order-7' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    const place = { partition: 0, offset: 0 };
    for (const view of [{ payloads: false }, { redact: ['pin'] }]) {
      const admin = bed.admin.seenBy(view);
      await expect(admin.messages.republish(TOPIC, { place, options: { ...ANN, idempotencyKey: 'probe' } })).rejects.toMatchObject({ code: 'FORBIDDEN' });
      const [failed] = (await admin.audit.list({ limit: 1 })).items;
      expect(failed).toMatchObject({ action: 'messages.publish', outcome: { ok: false, code: 'IDEMPOTENCY_MISMATCH', message: null } });
    }
    expect(JSON.stringify(await bed.admin.audit.list({ limit: 1 }))).toContain('order-7');
  });

  it('is stored once for an idempotency key', async () => {
    await create();
    const message = { ...ANN, payload: 1, idempotencyKey: 'k-1' };
    await bed.admin.messages.publish(TOPIC, message);
    expect(await bed.admin.messages.publish(TOPIC, message)).toMatchObject({ result: { duplicate: true } });
    await expect(bed.admin.messages.publish(TOPIC, { ...message, payload: 2 })).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  });

  it('is refused before anything is stored when it is none', async () => {
    await create();
    const publish = (options: object): Promise<unknown> => bed.admin.messages.publish(TOPIC, { ...ANN, ...options } as never);
    await expect(publish({})).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(publish({ payload: 1, headers: { 'a b': 'c' } })).rejects.toMatchObject({ code: 'INVALID_HEADERS' });
    await expect(publish({ payload: new Map() })).rejects.toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
    await expect(publish({ payload: 1, key: 'k'.repeat(2_000), dryRun: true })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(bed.admin.messages.publish({ topic: 'none' }, { ...ANN, payload: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    expect((await bed.admin.messages.browse(TOPIC)).items).toEqual([]);
  });

  it('is published again as a new one, with a header that names its origin, and with another payload', async () => {
    await create();
    await bed.admin.messages.publish(TOPIC, { ...ANN, payload: { total: 5 }, key: 'c-7', headers: { a: 'b' }, idempotencyKey: 'k-1' });
    const [origin] = (await bed.admin.messages.browse(TOPIC)).items;
    const place = { partition: 0, offset: 0 };
    await bed.admin.messages.republish(TOPIC, { place, options: ANN });
    await bed.admin.messages.republish(TOPIC, { place, options: { ...ANN, payload: { total: 6 }, key: 'c-8' } });
    const headers = { a: 'b', 'millrace-republished-from': `shop.notes 0:0 ${origin!.id!}` };
    expect((await bed.admin.messages.browse(TOPIC)).items.slice(1)).toMatchObject([
      { payload: { total: 5 }, key: 'c-7', headers, idempotencyKey: null },
      { payload: { total: 6 }, key: 'c-8', headers },
    ]);
    const gone = bed.admin.messages.republish(TOPIC, { place: { partition: 0, offset: 99 }, options: ANN });
    await expect(gone).rejects.toMatchObject({ code: 'UNKNOWN_MESSAGE' });
  });
});
