import { describe, expect, it } from '@jest/globals';
import { defineTopic, Job, MessageType, MillraceModule, Topic } from '@millrace/nestjs';
import type { Type } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import { readServerOptions } from '../src/server-options.js';
import { startServer } from '../src/start-server.js';
import { ALONE, type Answer, API, portOf, SILENT } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.ordered')
class Ordered {
  @IsInt() amount!: number;
}

@MessageType('large')
class LargeOrdered extends Ordered {
  @IsString() approvedBy!: string;
}

const Anything = defineTopic('test.anything');

@Job('test-mail', { queue: 'mails' })
class Mail {
  @IsString() to!: string;
}

const token = 'a-token-that-is-longer-than-thirty-two';
const ORDERED = `${API}/topics/test.ordered/messages`;
const MAIL = `${API}/jobs/test-mail`;

const bed = new ServerBed('server');

function applicationModule(): Type {
  return bed.module({ imports: [MillraceModule.forFeature([Ordered, LargeOrdered, Anything, Mail])] });
}

function start(options: { token?: string } = {}): Promise<void> {
  return bed.startAlone(applicationModule(), options);
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return bed.send(path, { body, headers });
}

describe('the HTTP API', () => {
  it('publishes with the contract of the topic: 201, then 200 for a duplicate, 409 for another payload with the key', async () => {
    await start();
    const first = await post(ORDERED, { amount: 1 }, { 'idempotency-key': 'k' });
    expect(first).toMatchObject({ status: 201, body: { partition: 0, offset: 0, duplicate: false } });
    const { id } = first.body as { id: string };
    expect(await post(ORDERED, { amount: 1 }, { 'idempotency-key': 'k' })).toMatchObject({ status: 200, body: { id, duplicate: true } });
    expect(await post(ORDERED, { amount: 2 }, { 'idempotency-key': 'k' })).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_MISMATCH' } });
  });

  it('publishes later, for a while, and as one type of message', async () => {
    await start();
    const later = new Date(Date.now() + 60_000).toISOString();
    const delayed = { status: 201, body: { offset: null } };
    expect(await post(ORDERED, { amount: 1 }, { 'millrace-delay': '1h', 'millrace-ttl': '10m', 'millrace-deadline': '5s' })).toMatchObject(delayed);
    expect(await post(ORDERED, { amount: 1 }, { 'millrace-deliver-at': later })).toMatchObject(delayed);
    const large = { amount: 1_000, approvedBy: 'a' };
    expect(await post(ORDERED, large, { 'millrace-type': 'large' })).toMatchObject({ status: 201, body: { offset: 0 } });
    expect(await post(ORDERED, { amount: 1 }, { 'millrace-type': 'large' })).toMatchObject({ status: 400, body: { code: 'INVALID_PAYLOAD' } });
  });

  it.each(['{"a":1}', '[1,"a"]', '"text"', '7', 'true', 'null'])('publishes %s to a topic without a class alone', async (body) => {
    await start();
    expect(await post(`${API}/topics/test.anything/messages`, body)).toMatchObject({ status: 201, body: { offset: 0 } });
    const refused = { status: 400, body: { code: 'INVALID_PAYLOAD' } };
    expect(await post(ORDERED, body)).toMatchObject(refused);
    expect(await post(MAIL, body)).toMatchObject(refused);
    expect(await post(`${API}/topics/test.anything/messages`, body, { 'millrace-type': 'large' })).toMatchObject({ status: 400 });
  });

  it.each<[string, Record<string, string>, string]>([
    ['an option that it does not take', { 'millrace-durability': 'fsynced' }, 'It takes: idempotency-key, millrace-key,'],
    ['a duration that is none', { 'millrace-delay': 'soon' }, 'delay must be a duration'],
    ['a moment that is none', { 'millrace-deliver-at': '5' }, 'which is no moment'],
    ['two times', { 'millrace-delay': '1s', 'millrace-deliver-at': '2030-01-01T00:00:00Z' }, 'must not be given together'],
    ['an unknown type', { 'millrace-type': 'lagre' }, "did you mean 'large'?"],
  ])('refuses %s, instead of doing something else', async (_, headers, problem) => {
    await start();
    const answer = await post(ORDERED, { amount: 1 }, headers);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).toContain(problem);
  });

  it('refuses options that jobs do not have', async () => {
    await start();
    expect(await post(MAIL, { to: 'a' }, { 'millrace-delay': '1h' })).toMatchObject({ status: 201 });
    expect(await post(MAIL, { to: 'a' }, { 'millrace-delay': 'soon' })).toMatchObject({ status: 400 });
    const answer = await post(MAIL, { to: 'a' }, { 'millrace-ttl': '1h' });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS', detail: expect.stringContaining('millrace-ttl') } });
  });

  it('enqueues with the contract of the job', async () => {
    await start();
    expect(await post(MAIL, { to: 'a' }, { 'idempotency-key': 'k' })).toMatchObject({ status: 201, body: { duplicate: false } });
    expect(await post(MAIL, { to: 'a' }, { 'idempotency-key': 'k' })).toMatchObject({ status: 200, body: { duplicate: true } });
  });

  it('answers bad input as problem+json with a code', async () => {
    await start();
    const bad = await post(ORDERED, { amount: 'many' });
    expect(bad).toMatchObject({ status: 400, body: { code: 'INVALID_PAYLOAD', problems: [expect.stringContaining('amount')] } });
    expect(bad.headers['content-type']).toContain('application/problem+json');
    expect(await post(`${API}/topics/test.orderd/messages`, {})).toMatchObject({ status: 404, body: { code: 'UNKNOWN_TOPIC', detail: expect.stringContaining('test.ordered') } });
    expect(await post(`${API}/jobs/test-mial`, {})).toMatchObject({ status: 404, body: { code: 'UNKNOWN_JOB' } });
    expect(await post(ORDERED, '{not json')).toMatchObject({ status: 400 });
    expect(await post(ORDERED, { amount: 1, more: 'x'.repeat(1_100_000) })).toMatchObject({ status: 413 });
    expect(await post(ORDERED, { more: 'x'.repeat(3_000_000) })).toMatchObject({ status: 413 });
    expect(await post(ORDERED, { amount: 1 }, { 'idempotency-key': 'x'.repeat(257) })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS' } });
    expect(await post('/nowhere', {})).toMatchObject({ status: 404 });
  });

  it('tells health to everyone, and lets nobody else in without the token', async () => {
    await start({ token });
    expect(await bed.send('/health/live')).toMatchObject({ status: 200 });
    expect(await bed.send('/health/ready')).toMatchObject({ status: 200 });
    expect(await post(ORDERED, { amount: 1 })).toMatchObject({ status: 401 });
    expect(await post(ORDERED, { amount: 1 }, { authorization: `Bearer ${token}x` })).toMatchObject({ status: 401 });
    expect(await post(`${ORDERED}?token=${token}`, { amount: 1 })).toMatchObject({ status: 400 });
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      expect(await post(ORDERED, { amount: 1 }, { authorization: `${scheme} ${token}` })).toMatchObject({ status: 201 });
    }
    expect(await post(ORDERED, { amount: 1 }, { authorization: `Basic ${token}` })).toMatchObject({ status: 401 });
    expect((await bed.send(ORDERED, { method: 'POST' })).headers['www-authenticate']).toBe('Bearer');
  });

  it('says which port is in use', async () => {
    await start();
    await expect(startServer(applicationModule(), { ...ALONE, port: portOf(bed.app) }, SILENT)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });
});

describe('the options of the server', () => {
  it('demand a token where others can reach it, and one that cannot be guessed', () => {
    expect(readServerOptions({})).toEqual({ ...ALONE, port: 3000 });
    expect(() => readServerOptions({ MILLRACE_HOST: '0.0.0.0' })).toThrow('MILLRACE_TOKEN');
    expect(() => readServerOptions({ MILLRACE_HOST: '0.0.0.0', MILLRACE_TOKEN: 'short' })).toThrow('MILLRACE_TOKEN');
    const env = { MILLRACE_HOST: '0.0.0.0', MILLRACE_TOKEN: token, MILLRACE_PORT: '81', MILLRACE_REQUEST_TIMEOUT: '2s' };
    expect(readServerOptions(env)).toEqual({ ...ALONE, port: 81, host: '0.0.0.0', token, requestTimeoutMs: 2_000 });
    expect(() => readServerOptions({ MILLRACE_PORT: 'http' })).toThrow('MILLRACE_PORT');
    expect(() => readServerOptions({ MILLRACE_REQUEST_TIMEOUT: 'soon' })).toThrow('MILLRACE_REQUEST_TIMEOUT');
  });

  it.each([
    ['a space', 'a token that is longer than thirty-two'],
    ['more characters than servers take', 'x'.repeat(600)],
    ['a character that is not ASCII', `${'x'.repeat(40)}\u00e9`],
    ['a control character', `${'x'.repeat(40)}\u0007x`],
    ['a line break', `${'x'.repeat(40)}\nx`],
  ])('refuse a token that no client could send, and do not show it: %s', (_, unsendable) => {
    const failure = (): unknown => readServerOptions({ MILLRACE_TOKEN: unsendable });
    expect(failure).toThrow('MILLRACE_TOKEN must have 32 to 512 visible ASCII characters and no space');
    expect(failure).not.toThrow(unsendable);
  });
});
