import { describe, expect, it } from '@jest/globals';
import { MillraceModule, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Injectable } from '@nestjs/common';
import { IsObject } from 'class-validator';
import { MillraceServerModule, type MillraceServerOptions } from '../src/index.js';
import { readServerOptions } from '../src/server-options.js';
import { type Answer, API, byHeader } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.payments')
class Payment {
  @IsObject() card!: Record<string, unknown>;
}

/** Cannot charge a card: each message becomes a dead letter at once. */
@Injectable()
class Charger {
  @Subscribe(Payment, { group: 'charger', retry: { attempts: 1 } })
  charge({ card }: Payment): Promise<void> {
    return Promise.reject(new Error(`cannot charge ${String(card['number'])}`));
  }
}

const NUMBER = '4111-1111-1111-1111';
const LETTERS = '/dlq/test.payments/charger';

const bed = new ServerBed('view');

async function start(options: MillraceServerOptions = {}): Promise<void> {
  const imports = [MillraceModule.forFeature([Payment]), MillraceServerModule.forRoot({ ...byHeader, ...options })];
  await bed.start(bed.module({ imports, providers: [Charger] }));
  await bed.app.get(Publisher).publish(Payment, { card: { number: NUMBER, name: 'Ann' } });
  await waitFor(async () => ((await get(LETTERS, 'viewer')).body as { items?: unknown[] }).items?.length === 1, { what: 'a dead letter' });
}

function get(path: string, as: string): Promise<Answer> {
  return bed.send(`${API}${path}`, { as });
}

describe('the right to see payloads', () => {
  it('shows messages, and without it each with its payload hidden', async () => {
    await start();
    expect(await get('/topics/test.payments/messages/0/0', 'viewer of payloads')).toMatchObject(
      { status: 200, body: { hidden: false, payload: { card: { number: NUMBER } } } },
    );
    expect(await get('/topics/test.payments/messages/0/0', 'viewer')).toMatchObject({ status: 200, body: { offset: 0, hidden: true, payload: null } });
    const letters = await get(LETTERS, 'admin');
    expect(letters).toMatchObject({ status: 200, body: { items: [{ hidden: true, payload: null, error: { name: 'Error', message: null } }] } });
    expect(JSON.stringify(letters)).not.toContain(NUMBER);
  });

  it('shows a dead letter of 20,000 levels with its problem and its text, and the others with it', async () => {
    await start();
    const dead = `${bed.prefix}:{test.payments:0}:group:charger:dead`;
    const [[, fields]] = (await bed.command('XRANGE', dead, '-', '+')) as [[string, string[]]];
    const envelope = `[1,"deep-1",null,null,null,${'['.repeat(20_000)}${']'.repeat(20_000)}]`;
    await bed.command('XADD', dead, '*', 'm', envelope, 'e', fields[fields.indexOf('e') + 1]!);
    expect(await get(LETTERS, 'viewer of payloads')).toMatchObject({
      status: 200, body: { items: [{ problem: null, payload: { card: { number: NUMBER } } }, { payload: null, problem: 'INVALID_PAYLOAD', envelope }] },
    });
    expect(await get(LETTERS, 'viewer')).toMatchObject({ status: 200, body: { items: [{}, { messageId: 'deep-1', hidden: true, envelope: null }] } });
  });

  it('is asked for by a search that looks into payloads: else it is 403', async () => {
    await start();
    const path = '/topics/test.payments/messages';
    expect(await get(`${path}?text=${NUMBER}`, 'admin')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', detail: expect.stringContaining('text') } });
    expect(await get(`${path}?text=${NUMBER}`, 'viewer of payloads')).toMatchObject({ status: 200, body: { items: [{ offset: 0 }] } });
  });
});

describe('redacted fields', () => {
  it('are shown to nobody, also not to those who see payloads', async () => {
    await start({ redact: ['card.number'] });
    const shown = await get('/topics/test.payments/messages/0/0', 'viewer of payloads');
    expect(shown).toMatchObject({ body: { payload: { card: { number: '[redacted]', name: 'Ann' } }, redacted: ['payload.card.number'] } });
    const letters = await get(LETTERS, 'viewer of payloads');
    expect(letters).toMatchObject({ body: { items: [{ error: { message: 'cannot charge [redacted]' } }] } });
    expect(JSON.stringify([shown, letters])).not.toContain(NUMBER);
    const where = encodeURIComponent(JSON.stringify([{ field: 'payload.card.number', op: 'contains', value: '4' }]));
    expect(await get(`/topics/test.payments/messages?where=${where}`, 'viewer of payloads')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  it('are those of MILLRACE_REDACT on the server alone', async () => {
    const { redact } = readServerOptions({ MILLRACE_REDACT: 'authorization, card.number' });
    await bed.startAlone(bed.module({ imports: [MillraceModule.forFeature([Payment])] }), { redact });
    const headers = { 'millrace-header-authorization': 'Basic abc', 'millrace-header-city': 'Rome' };
    const body = { card: { number: NUMBER, name: 'Ann' } };
    expect(await bed.send(`${API}/topics/test.payments/messages`, { headers, body })).toMatchObject({ status: 201 });
    expect(await get('/topics/test.payments/messages/0/0', 'local')).toMatchObject({
      status: 200, body: { payload: { card: { number: '[redacted]', name: 'Ann' } }, headers: { authorization: '[redacted]', city: 'Rome' } },
    });
  });

  it('are refused when they are no names of fields', async () => {
    expect(() => MillraceServerModule.forRoot({ redact: ['card number'] })).toThrow('redact must be');
    const { redact } = readServerOptions({ MILLRACE_REDACT: 'card number' });
    await expect(bed.startAlone(bed.module(), { redact })).rejects.toThrow('redact must be');
  });
});

describe('an action that is done in part', () => {
  it('is answered 207', async () => {
    await start();
    const act = (path: string, body: object): Promise<Answer> => bed.send(`${API}${path}`, { as: 'admin', body });
    expect(await act(`${LETTERS}/redrive`, { ids: ['0:1-1'] })).toMatchObject({ status: 207, body: { partial: true, result: { redriven: 0 } } });
    const whole = await act('/groups/test.payments/charger/resume', {});
    expect(whole).toMatchObject({ status: 200, body: { partial: false } });
    await act('/groups/test.payments/charger/pause', {});
    await bed.app.get(Publisher).publish(Payment, { card: {} });
    const { confirmation } = (await act('/topics/test.payments/purge', { dryRun: true })).body as { confirmation: string };
    expect(await act('/topics/test.payments/purge', { confirm: confirmation })).toMatchObject(
      { status: 207, body: { partial: true, result: { heldBy: ['charger'] } } },
    );
  });
});
