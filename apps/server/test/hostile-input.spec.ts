import { beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { OPERATIONS } from '@millrace/admin';
import { Job, MillraceModule, Topic } from '@millrace/nestjs';
import { IsOptional, IsString } from 'class-validator';
import { OTHER_ROUTES } from '../src/documents/other-routes.js';
import { API, portOf } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.hostile')
class Note {
  @IsString() text!: string;
  @IsOptional() amount?: number;
}

@Job('test-hostile', { queue: 'hostile' })
class NoteJob {
  @IsString() text!: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const MESSAGES = `${API}/topics/test.hostile/messages`;
const JOBS = `${API}/jobs/test-hostile`;

const bed = new ServerBed('hostile');
beforeEach(() => start(30_000));

function start(requestTimeoutMs: number): Promise<void> {
  return bed.startAlone(bed.module({ imports: [MillraceModule.forFeature([Note, NoteJob])] }), { calls: true, requestTimeoutMs });
}

interface Answer {
  status: number | undefined;
  type: string | undefined;
  body: unknown;
}

/** Sends exactly these bytes and headers, several of one name too. */
function post(path: string, body: string | Buffer, headers: Record<string, string | string[]> = JSON_TYPE): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: portOf(bed.app), path, method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, type: response.headers['content-type']?.split(';')[0], body: JSON.parse(text) });
      });
    });
    sent.on('error', reject);
    // Bytes: Node writes the headers before a text in the encoding of that.
    sent.end(Buffer.from(body));
  });
}

/** The bytes of text in UTF-8 as Node's client wants them in a header: a character each. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Everything that is stored in the partition. */
async function stored(): Promise<string> {
  return JSON.stringify(await bed.command('XRANGE', `${bed.prefix}:{test.hostile:0}:log`, '-', '+'));
}

const NOTE = '{"text":"a"}';

describe('a body', () => {
  it.each([
    ['a form', 'application/x-www-form-urlencoded', 'a=b'],
    ['text', 'text/plain', NOTE],
    ['nothing that has a name', undefined, NOTE],
    ['a multipart form', 'multipart/form-data; boundary=x', '--x--'],
  ])('that says it is %s is 415, for messages and jobs', async (_, type, body) => {
    for (const path of [MESSAGES, JOBS]) {
      const answer = await post(path, body, type === undefined ? {} : { 'content-type': type });
      expect(answer).toEqual({
        status: 415, type: 'application/problem+json',
        body: { title: 'Unsupported Media Type', status: 415, detail: expect.stringContaining('Content-Type: application/json'), code: 'HTTP_415' },
      });
    }
  });

  it.each(['utf-16', 'utf-16le', 'utf-32', 'utf-7', 'latin1', 'nonsense'])('in the charset %s is 415', async (charset) => {
    const answer = await post(MESSAGES, Buffer.from(NOTE, 'utf16le'), { 'content-type': `application/json; charset=${charset}` });
    expect(answer).toMatchObject({ status: 415, type: 'application/problem+json', body: { code: 'HTTP_415' } });
  });

  it.each([
    ['latin-1', Buffer.from('{"text":"K\u00f6ln"}', 'latin1')],
    ['UTF-16', Buffer.from('\ufeff{"text":"K\u00f6ln"}', 'utf16le')],
    ['cut off inside a character', Buffer.from('{"text":"\u20ac"}').subarray(0, 11)],
    ['a surrogate in UTF-8', Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])],
  ])('that is not UTF-8 is 400 and not stored: %s', async (_, body) => {
    expect(await post(MESSAGES, body)).toMatchObject({ status: 400, body: { detail: expect.stringContaining('not valid UTF-8') } });
    expect(await stored()).toBe('[]');
  });

  it('in UTF-8 is stored as it was sent, a byte order mark or not', async () => {
    for (const start of ['', '\ufeff']) {
      const type = { 'content-type': 'application/json; charset=UTF-8' };
      expect(await post(MESSAGES, `${start}{"text":"K\u00f6ln \u20ac \ud83d\ude00"}`, type)).toMatchObject({ status: 201 });
    }
    expect((await stored()).match(/K\u00f6ln \u20ac \ud83d\ude00/g)).toHaveLength(2);
  });

  it('that is empty is 400, whether or not its length is said', async () => {
    const empty = { status: 400, body: { detail: expect.stringContaining('The body is empty') } };
    expect(await post(MESSAGES, '', { ...JSON_TYPE, 'content-length': '0' })).toMatchObject(empty);
    expect(await post(MESSAGES, '', { ...JSON_TYPE, 'transfer-encoding': 'chunked' })).toMatchObject(empty);
    expect(await post(MESSAGES, '\ufeff')).toMatchObject(empty);
    expect(await post(MESSAGES, gzipSync(''), { ...JSON_TYPE, 'content-encoding': 'gzip' })).toMatchObject(empty);
    expect(await raw(`POST ${MESSAGES} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n`)).toContain('The body is empty');
  });

  it.each([
    '9007199254740993', '-9007199254740993', '9007199254740992', '12345678901234567890', '9007199254740993.0', '9.007199254740993e15', '1e400',
    '-1e309', '123456789012345678901234567890e-1',
  ])('with the number %s is 400, since it would be rounded', async (number) => {
    for (const body of [`{"text":"a","amount":${number}}`, `{"text":"a","amount":[{"x":"\\"","y": ${number} }]}`]) {
      const { status, body: problem } = await post(MESSAGES, body);
      expect({ status, problem }).toMatchObject({ status: 400, problem: { detail: expect.stringContaining(`The number ${number} in the body`) } });
    }
  });

  it.each(['9007199254740991', '-9007199254740991', '0.1', '0.10000000000000001', '1e-400', '6.02e23', '-1.5E+20', '0', '-0'])(
    'with the number %s is taken',
    async (number) => expect(await post(MESSAGES, `{"text":"a","amount":${number}}`)).toMatchObject({ status: 201 }),
  );

  it('may have any digits in its texts, and of two properties with one name the last counts', async () => {
    const body = '{"text":"9007199254740993","text":"\\\\\\" 12345678901234567890 \\\\"}';
    expect(await post(MESSAGES, body)).toMatchObject({ status: 201 });
    expect(await stored()).toContain('12345678901234567890');
    expect(await stored()).not.toContain('9007199254740993');
  });

  it.each([
    ['backslashes', '"\\'.repeat(900_000)], ['signs', '-'.repeat(1_900_000)], ['digits', '1'.repeat(1_900_000)],
    ['zeros', `{"text":"a","amount":1${'0'.repeat(1_900_000)}1e9}`],
  ])('with two megabytes of %s is refused, and keeps the server busy for no long time', async (_, text) => {
    expect(await post(MESSAGES, text)).toMatchObject({ status: 400 });
  });
});

describe('a body of 20,000 levels, more than a recursive function can walk,', () => {
  const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const NAMES: Readonly<Record<string, string>> = { topic: 'test.hostile', job: 'test-hostile', partition: '0', offset: '0' };
  const posts = [...OPERATIONS, ...OTHER_ROUTES].filter(({ method }) => method === 'POST');

  it.each(posts)('is 400 as a whole, as a property and as an option: $path', async ({ path, ...route }) => {
    const address = `${API}${path.replace(/:(\w+)/g, (_, name: string) => NAMES[name] ?? 'hostile')}`;
    const options = 'inputs' in route ? Object.keys(route.inputs) : [];
    for (const body of [DEEP, ...['text', ...options].map((name) => `{"${name}":${DEEP}}`)]) {
      expect(await post(address, body)).toMatchObject({ status: 400, type: 'application/problem+json' });
    }
  });
});

describe('content of 20,000 levels that another program has stored', () => {
  const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

  it('is a message with a problem and its text, and the others of its page are shown', async () => {
    expect(await post(MESSAGES, NOTE)).toMatchObject({ status: 201 });
    await bed.command('XADD', `${bed.prefix}:{test.hostile:0}:log`, `${Date.now()}-16`, 'm', `[[1,"deep-1",null,null,null,${DEEP}]]`);
    const deep = { id: 'deep-1', offset: 1, payload: null, problem: 'INVALID_PAYLOAD', found: expect.stringMatching(/^\[1,"deep-1",.*\[{1000,}…$/) };
    for (const path of [MESSAGES, `${MESSAGES}/find?id=deep-1`]) {
      const { status, body } = await bed.send(path);
      expect({ status, last: (body as { items: unknown[] }).items.at(-1) }).toMatchObject({ status: 200, last: deep });
    }
    expect(await bed.send(MESSAGES)).toMatchObject({ body: { items: [{ offset: 0, payload: { text: 'a' }, problem: null }, {}] } });
    expect(await bed.send(`${API}/trace?messageId=deep-1`)).toMatchObject({ status: 200, body: { items: [{ message: deep }] } });
  });

  it('is a job with a problem, and the others of its page are shown', async () => {
    const ids: string[] = [];
    for (let number = 0; number < 2; number += 1) ids.push(((await post(JOBS, NOTE)).body as { id: string }).id);
    await bed.command('HSET', `{${bed.prefix}}:hostile:${ids[1]!}`, 'data', DEEP, 'returnvalue', DEEP);
    expect(await bed.send(`${API}/queues/hostile/jobs?state=waiting`)).toMatchObject({
      status: 200, body: { items: [{ data: { text: 'a' }, problem: null }, { id: ids[1], problem: 'INVALID_PAYLOAD' }] },
    });
    expect(await bed.send(`${API}/queues/hostile/jobs/${ids[1]!}`)).toMatchObject({ status: 200, body: { problem: 'INVALID_PAYLOAD' } });
  });
});

describe('a header that is an option', () => {
  it('is read as UTF-8: keys and headers of the message are stored as they were sent', async () => {
    const headers = {
      ...JSON_TYPE, 'idempotency-key': bytesOf('K\u00f6ln-1'), 'millrace-key': bytesOf('Stra\u00dfe'), 'millrace-header-city': bytesOf('\u6771\u4eac'),
    };
    expect(await post(MESSAGES, NOTE, headers)).toMatchObject({ status: 201 });
    expect(await post(MESSAGES, NOTE, headers)).toMatchObject({ status: 200 });
    const entries = await stored();
    for (const text of ['K\u00f6ln-1', 'Stra\u00dfe', '\u6771\u4eac']) expect(entries).toContain(text);
  });

  it.each(['idempotency-key', 'millrace-key', 'millrace-header-city'])('is 400 when it is not UTF-8: %s', async (name) => {
    const detail: unknown = expect.stringContaining(`The header ${name} is not valid UTF-8`);
    expect(await post(MESSAGES, NOTE, { ...JSON_TYPE, [name]: 'K\u00f6ln' })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS', detail } });
  });

  it.each(['Idempotency-Key', 'Millrace-Key', 'Millrace-Delay', 'Millrace-Header-City'])('is 400 when it is there twice: %s', async (name) => {
    const detail: unknown = expect.stringContaining(`The header ${name.toLowerCase()} is there twice`);
    for (const values of [['1s', '2s'], ['1s', '1s']]) {
      expect(await post(MESSAGES, NOTE, { ...JSON_TYPE, [name]: values })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS', detail } });
    }
    expect(await stored()).toBe('[]');
  });

  it('is 400 on the route of jobs, too', async () => {
    expect(await post(JOBS, NOTE, { ...JSON_TYPE, 'idempotency-key': ['a', 'b'] })).toMatchObject({ status: 400 });
    expect(await post(JOBS, NOTE, { ...JSON_TYPE, 'idempotency-key': 'K\u00f6ln' })).toMatchObject({ status: 400 });
    expect(await post(JOBS, NOTE, { ...JSON_TYPE, 'idempotency-key': bytesOf('K\u00f6ln') })).toMatchObject({ status: 201 });
  });
});

describe('Millrace-Deliver-At', () => {
  it.each([
    '2026-02-30T10:00:00Z', '2026-02-29T10:00Z', '2026-04-31T10:00:00+01:00', '2026-13-01T10:00:00Z', '2026-01-01T24:61:00Z', '2026-01-01T24:00:00Z',
    '2026-01-01T10:60Z', '2026-01-01T10:00:61Z', '2026-01-01T10:00:00', '2026-01-01T10:00', '2026-01-01', '2026-01-01T10:00:00+25:00',
    '2026-01-01T10:00:00+0100', '2026-01-01 10:00:00Z', '1795240800000', 'tomorrow', '',
  ])('is 400 as %p', async (moment) => {
    const detail: unknown = expect.stringContaining('which is no moment');
    expect(await post(MESSAGES, NOTE, { ...JSON_TYPE, 'millrace-deliver-at': moment })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS', detail } });
  });

  it('is taken with its zone, with seconds or without', async () => {
    const hour = new Date(Date.now() + 3_600_000).toISOString().slice(0, 16);
    for (const moment of [`${hour}Z`, `${hour}:59Z`, `${hour}:00.123456Z`, `${hour}:00-02:30`, '2024-02-29T10:00:00Z']) {
      expect(await post(MESSAGES, NOTE, { ...JSON_TYPE, 'millrace-deliver-at': moment })).toMatchObject({ status: 201 });
    }
  });
});

describe('a request that comes in slowly', () => {
  it.each([
    ['its body does not end', `POST ${MESSAGES} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"text":`],
    ['its headers do not end', `POST ${MESSAGES} HTTP/1.1\r\nhost: localhost\r\n`],
  ])('is 408 and its connection closed: %s', async (_, sent) => {
    await bed.app.close();
    await start(100);
    expect(await raw(sent)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

/** The answer of the server to these bytes, until it closes the connection. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(portOf(bed.app), '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
