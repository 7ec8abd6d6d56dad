import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { auditKey, type Operation, OPERATIONS } from '@millrace/admin';
import { isMillraceError, isName } from '@millrace/core';
import { AdminBed } from './admin-bed.js';
import { JobsBed, Mail as MailJob } from './jobs-bed.js';
import { Mail, mails } from './topics.js';

const bed = new AdminBed('hostile');
const jobs = new JobsBed(bed);
const GROUP = { topic: 'shop.mails', group: 'g' };

/** A test takes a second: an operation that is led astray for long does not end in time. */
const IN_TIME_MS = 60_000;

const LUA = "redis.call('FLUSHALL') return 1";
const TEXTS = ['', ' ', '__proto__', 'constructor', 'x'.repeat(1_000_000), '\u0000', 'a\r\nb', '\u202e', '\ud800', '*', '{a}:b', '../../etc', LUA, '-1', 'NaN', '1e309'];

function throwing(): never {
  throw new Error('a getter of the caller ran');
}

/** Each is made anew: some change when they are read. */
const OTHERS: Readonly<Record<string, () => unknown>> = {
  null: () => null, true: () => true, NaN: () => Number.NaN, Infinity: () => Infinity, 'minus one': () => -1, 'a fraction': () => 0.5, 'beyond 2^53': () => 2 ** 60,
  bigint: () => 10n, symbol: () => Symbol('a'), function: () => throwing, 'an empty list': () => [], 'a list of commands': () => ['v', 'MAXLEN', '0'],
  'a list of lists': () => [[['a']]], 'an empty object': () => ({}), 'an object': () => ({ a: 1 }), 'no prototype': () => Object.create(null) as unknown,
  '__proto__ of JSON': () => JSON.parse('{"__proto__":{"dryRun":true,"isAdmin":true}}') as unknown, 'no date': () => new Date(Number.NaN),
  'a date before 1970': () => new Date(-1), 'a getter that throws': () => Object.defineProperty({}, 'field', { enumerable: true, get: throwing }),
  'a list with a getter that throws': () => [Object.defineProperty({ op: '=', value: 1 }, 'field', { enumerable: true, get: throwing })],
  'a proxy that throws': () => new Proxy({}, { ownKeys: throwing, get: throwing }), 'a value that throws as text': () => ({ toString: throwing, valueOf: throwing }),
  'a circle': circle, deep: () => JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) as unknown,
  'a long list': () => Array(1_000_000_000) as unknown, 'a map': () => new Map([['a', 1]]), bytes: () => Buffer.alloc(1_000_000),
};

function circle(): unknown {
  const one: Record<string, unknown> = {};
  return Object.assign(one, { one });
}

const HOSTILE: readonly (readonly [what: string, make: () => unknown])[] = [
  ...TEXTS.map((text) => [`the text ${JSON.stringify(text.slice(0, 20))}`, () => text] as const), ...Object.entries(OTHERS),
];

/** Options that are any text, so that a hostile one is data: it is answered, and nothing else happens. */
const DATA = ['actor', 'key', 'id', 'type', 'text', 'messageId', 'prefix', 'service', 'confirm', 'cursor', 'fingerprint', 'within', 'traceId'];

/** The content of a message that is published is data, too. */
const CONTENT = ['payload', 'headers', 'idempotencyKey'];

/** Options with which an operation that is asked with nothing hostile would be answered. */
const GOOD: Readonly<Record<string, object>> = {
  'messages.find': { type: 'none' }, trace: { messageId: 'none' }, 'groups.seek': { to: 'earliest' },
  'deadLetters.redrive': { all: true }, 'deadLetters.discard': { all: true },
  'messages.publish': { payload: 1 }, 'jobs.retry': { all: true }, 'jobs.promote': { all: true },
  'topics.raisePartitions': { partitions: 2 },
};

/** Those that a process without a registry does not have. */
const ABSENT = ['services.list', 'services.instances', 'services.calls'];

function goodOptions({ name, method }: Operation): object {
  return { ...GOOD[name], ...(method === 'POST' ? { actor: 'ann', dryRun: true } : {}) };
}

/** All keys with digests of what they hold, but for the audit stream, and the signs of life that processes give by themselves. */
async function dump(): Promise<string[]> {
  const keys = (await bed.command('KEYS', `*${bed.prefix}*`)) as string[];
  const kept = keys.filter((key) => key !== auditKey(bed.prefix) && !key.startsWith(`${bed.prefix}:{presence}:`)).sort();
  return Promise.all(kept.map(async (key) => `${key} ${digestOf(await bed.command('DUMP', key))}`));
}

function digestOf(dumped: unknown): string {
  return createHash('sha256').update(String(dumped)).digest('hex').slice(0, 16);
}

/** A topic with messages, a group that has given one up and is gone, and a queue with a job. */
async function prepare(): Promise<Readonly<Record<string, string>>> {
  const subscription = await bed.subscribe({ topic: Mail, group: 'g' }, () => Promise.reject(new Error('no')));
  await bed.application.publisher.publishMany(Mail, mails(3));
  await bed.drained({ topic: Mail, group: 'g' });
  await subscription.stop(500);
  const { items } = await bed.admin.deadLetters.browse(GROUP);
  const [job] = await jobs.enqueue(MailJob, 1);
  return { id: items[0]!.id, queue: 'mails', job: job! };
}

/** `refused`, `answered`, or the failure that nobody should get. */
async function outcomeOf(operation: Operation, target: unknown, options: unknown): Promise<string> {
  try {
    await operation.run(jobs.operator, target as never, options as never);
    return 'answered';
  } catch (error) {
    return isMillraceError(error) && !['REDIS_FAILED', 'STATE_LOST'].includes(error.code) ? 'refused' : String(error).slice(0, 200);
  }
}

interface Trial {
  readonly what: string;
  readonly target: unknown;
  readonly options: unknown;
  /** Whether it may be answered, as data. */
  readonly isData: boolean;
}

/** An object in which one member is hostile. */
function having(good: object, name: string, value: unknown): object {
  return Object.defineProperty({ ...good }, name, { value, enumerable: true });
}

function trialsOf(operation: Operation, place: Readonly<Record<string, string>>): Trial[] {
  const good = goodOptions(operation);
  const parts = [...operation.path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!);
  const names = [...Object.keys(operation.inputs), ...(operation.method === 'POST' ? ['actor'] : [])];
  return HOSTILE.flatMap(([what, make]) => {
    const isText = typeof make() === 'string';
    const inTarget = parts.map((name): Trial => {
      // A topic that is not there may have any name, and jobs of other programs may have any id.
      const isData = (operation.name === 'topics.create' && isName(make())) || (name === 'job' && isText);
      return { what: `${name}: ${what}`, target: having(place, name, make()), options: good, isData };
    });
    const inOptions = names.map((name): Trial => {
      const isContent = operation.name.endsWith('publish') && CONTENT.includes(name);
      const isData = isContent || (isText && DATA.includes(name)) || isFit(name, make());
      return { what: `${name}: ${what}`, target: place, options: having(good, name, make()), isData };
    });
    // Nothing at all, and a target without the parts of the path, are good where there is nothing to say.
    const whole = { what: `the target: ${what}`, target: make(), options: good, isData: parts.length === 0 };
    const all = { what: `the options: ${what}`, target: place, options: make(), isData: operation.options === null || operation.method === 'GET' };
    return [...inTarget, ...inOptions, whole, all];
  });
}

/** Values that are good ones of an option. */
function isFit(name: string, value: unknown): boolean {
  if (value === true) return ['dryRun', 'force', 'unsettled', 'all', 'delayed'].includes(name);
  return name === 'shift' && value === -1;
}

type Named = readonly [name: string, operation: Operation];

const OFFERED = OPERATIONS.filter(({ name }) => !ABSENT.includes(name)).map((operation): Named => [operation.name, operation]);
const ACTIONS = OFFERED.filter(([, { method }]) => method === 'POST');

describe('every operation', () => {
  it.each(OFFERED)('%s refuses hostile input with a typed error, in time, and writes nothing', async (_, operation) => {
    const place = { ...GROUP, ...(await prepare()), partition: '0', offset: '0' };
    expect(await outcomeOf(operation, place, goodOptions(operation))).toBe('answered');
    const before = await dump();
    const wrong: string[] = [];
    for (const { what, target, options, isData } of trialsOf(operation, place)) {
      const outcome = await outcomeOf(operation, target, options);
      if (outcome !== 'refused' && !(isData && outcome === 'answered')) wrong.push(`${what}: ${outcome}`);
    }
    expect(wrong).toEqual([]);
    expect(await dump()).toEqual(before);
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  }, IN_TIME_MS);

  it.each(ACTIONS)('%s is not done with a confirmation that is none', async (_, operation) => {
    const place = { ...GROUP, ...(await prepare()) };
    const before = await dump();
    const { dryRun: _dryRun, ...options } = { dryRun: true, ...goodOptions(operation) };
    for (const [, make] of HOSTILE) {
      expect(await outcomeOf(operation, place, having(options, 'confirm', make()))).toBe('refused');
    }
    expect(await dump()).toEqual(before);
    expect((await bed.admin.audit.list()).items).toEqual([]);
  }, IN_TIME_MS);
});
