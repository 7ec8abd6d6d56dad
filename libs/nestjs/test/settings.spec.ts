import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/nestjs';
import { ENVIRONMENT, readEnvironment } from '../src/config/environment.js';
import { readSettings } from '../src/config/settings.js';

function problemsOf(options: object, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    readSettings(options, env);
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'INVALID_OPTIONS') return error.problems;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('settings', () => {
  it('have defaults', () => {
    expect(readSettings({}, {})).toEqual({
      redis: { url: 'redis://127.0.0.1:6379' },
      prefix: 'millrace',
      application: 'app',
      databaseUrl: null,
      databaseSource: null,
      databaseWanted: false,
      databaseConnections: 10,
      inboxKeepMs: 7 * 86_400_000,
      inbox: { place: { table: 'millrace_inbox', ownerTable: 'millrace_owner' }, createTables: true },
      handlers: 'all',
      tags: [],
      leaseMs: 15_000,
      outbox: null,
      shutdownTimeoutMs: 25_000,
      publishDeadlineMs: 10_000,
      metrics: false,
      tracing: 'off',
      publishBufferBytes: 67_108_864,
      calls: { keepAnswersMs: 600_000, exposeStacks: false, maxWaiting: 100_000, maxPayloadBytes: 1_048_576 },
      globalEnhancers: false,
      unknownProperties: 'refuse',
    });
  });

  it('come from the environment, where an empty value is none, and options win over it', () => {
    const env = {
      REDIS_URL: 'redis://there:1', DATABASE_URL: 'postgres://db/x', MILLRACE_PREFIX: 'mine', MILLRACE_LEASE: '2s', MILLRACE_SHUTDOWN_TIMEOUT: '3s', MILLRACE_INBOX_KEEP: '30d',
      MILLRACE_GROUPS: 'a, b', MILLRACE_QUEUES: '', MILLRACE_HEALTH_PORT: ' ',
    };
    expect(readSettings({}, env)).toMatchObject({
      redis: { url: 'redis://there:1' }, databaseUrl: 'postgres://db/x', databaseWanted: false, prefix: 'mine', leaseMs: 2_000, shutdownTimeoutMs: 3_000,
      inboxKeepMs: 30 * 86_400_000,
      handlers: { groups: ['a', 'b'] },
    });
    const options = {
      redis: 'redis://here:1', database: 'postgres://db/y', prefix: 'ours', lease: '4s', shutdownTimeout: '5s', handlers: 'none',
      publishDeadline: '6s', inboxKeep: '1h',
    };
    expect(readSettings(options, env)).toMatchObject({
      redis: { url: 'redis://here:1' }, databaseUrl: 'postgres://db/y', databaseWanted: true, prefix: 'ours', leaseMs: 4_000, shutdownTimeoutMs: 5_000,
      handlers: 'none', publishDeadlineMs: 6_000, inboxKeepMs: 3_600_000,
    });
  });

  it('have a source of transactions, which wins over the URL of the environment', () => {
    const database = { dialect: 'mysql', transaction: () => Promise.reject(new Error('not here')), within: () => ({}) };
    const inbox = { table: 'handled', schema: 'elsewhere', createTables: false };
    expect(readSettings({ database, inbox }, { DATABASE_URL: 'postgres://db/x' })).toMatchObject({
      databaseUrl: null,
      databaseSource: database,
      databaseWanted: true,
      inbox: { place: { table: 'handled', ownerTable: 'millrace_owner', schema: 'elsewhere' }, createTables: false },
    });
    for (const wrong of [{ ...database, dialect: 'oracle' }, {}, 7]) expect(problemsOf({ database: wrong })).toEqual([expect.stringContaining('database must be the URL')]);
    expect(problemsOf({ inbox: { table: 'Handled', createTable: true } })).toHaveLength(2);
  });

  it('have bounds of calls, and name each that is wrong', () => {
    const calls = { keepAnswers: '1h', exposeStacks: true, maxWaiting: 5, maxPayloadBytes: 2_048 };
    const bounds = { keepAnswersMs: 3_600_000, exposeStacks: true, maxWaiting: 5, maxPayloadBytes: 2_048 };
    expect(readSettings({ calls }, {}).calls).toEqual(bounds);
    const wrong = (): unknown => readSettings({ calls: { keepAnswer: '1h', maxWaiting: 0 } }, {});
    expect(wrong).toThrow(/keepAnswer(.|\n)*maxWaiting/);
  });

  it('take tags from the host of a worker first, then from the options, then from the environment', () => {
    const env = { MILLRACE_TAGS: 'canary, eu' };
    expect(readSettings({}, env).tags).toEqual(['canary', 'eu']);
    expect(readSettings({ tags: ['blue'] }, env).tags).toEqual(['blue']);
    expect(readSettings({ tags: ['blue'] }, env, { handlers: undefined, tags: [] }).tags).toEqual([]);
    expect(() => readSettings({}, { MILLRACE_TAGS: 'a b' })).toThrow('MILLRACE_TAGS must be names separated by commas');
  });

  it('take the handlers of a worker from its host first; a worker never runs none of them', () => {
    const env = { MILLRACE_GROUPS: 'b' };
    expect(readSettings({ handlers: { groups: ['a'] } }, env, { handlers: { groups: ['c'] } }).handlers).toEqual({ groups: ['c'] });
    expect(readSettings({ handlers: { groups: ['a'] } }, env, { handlers: undefined }).handlers).toEqual({ groups: ['a'] });
    expect(readSettings({ handlers: 'none' }, env, { handlers: undefined }).handlers).toEqual({ groups: ['b'] });
    expect(readSettings({ handlers: 'none' }, {}, { handlers: undefined }).handlers).toBe('all');
  });

  it.each(['none', 'broadcasts', 'all'])('take MILLRACE_HANDLERS=%s from the environment, unless the options or the host say otherwise', (word) => {
    const env = { MILLRACE_HANDLERS: word };
    expect(readSettings({}, env).handlers).toBe(word);
    expect(readSettings({}, env, { handlers: undefined }).handlers).toBe(word);
    expect(readSettings({ handlers: { groups: ['a'] } }, env).handlers).toEqual({ groups: ['a'] });
    expect(readSettings({ handlers: 'none' }, env, { handlers: undefined }).handlers).toBe(word);
    expect(readSettings({}, env, { handlers: { queues: ['b'] } }).handlers).toEqual({ queues: ['b'] });
  });

  it('refuse an environment that names handlers and says in a word which run', () => {
    const message = 'The environment says with MILLRACE_HANDLERS=none which handlers run, and names some in MILLRACE_QUEUES';
    expect(() => readSettings({}, { MILLRACE_HANDLERS: 'none', MILLRACE_QUEUES: 'emails' })).toThrow(message);
    expect(() => readSettings({}, { MILLRACE_HANDLERS: 'non' })).toThrow('MILLRACE_HANDLERS must be one of the following values: all, none, broadcasts');
  });

  it('refuse what is not allowed with all problems of options and environment and the nearest names', () => {
    const problems = problemsOf(
      { rediss: 'x', prefix: 'a b', lease: 5, handlers: { group: ['x'] }, globalEnhancers: 'yes' },
      { MILLRACE_LEASES: '1s', MILLRACE_SHUTDOWN_TIMEOUT: 'soon', MILLRACE_GROUPS: 'a,b c', MILLRACE_HEALTH_PORT: '99999', MILLRACE_LOG: 'xml' },
    );
    expect(problems).toEqual(
      expect.arrayContaining([
        "MillraceModule: option 'rediss' is not known: did you mean 'redis'?",
        expect.stringContaining('MillraceModule: prefix must be the name of a key prefix'),
        "MillraceModule: lease must be a duration from '500ms' to '1h', such as '30s'",
        "MillraceModule: handlers option 'group' is not known: did you mean 'groups'?",
        'MillraceModule: globalEnhancers must be a boolean value',
        "The environment: option 'MILLRACE_LEASES' is not known: did you mean 'MILLRACE_LEASE'?",
        "The environment: MILLRACE_SHUTDOWN_TIMEOUT must be a duration from '0ms' to '1h', such as '30s'",
        expect.stringContaining('The environment: MILLRACE_GROUPS must be names separated by commas'),
        'The environment: MILLRACE_HEALTH_PORT must be a port',
        expect.stringContaining('The environment: MILLRACE_LOG must be one of the following values: text, json'),
      ]),
    );
    expect(problems).toHaveLength(10);
  });

  it.each([
    ["must be 'all', 'none', 'broadcasts' or", 'some'],
    ["'none' runs nothing", {}],
    ['must give groups as a list', { groups: 'inventory' }],
    ['must give queues as a list', { queues: [] }],
    ['cannot be the name of a group', { groups: ['a', 7] }],
  ])('refuse handlers: %s', (problem, handlers) => {
    expect(() => readSettings({ handlers }, {})).toThrow(problem);
  });

  it('never show the password of a URL', () => {
    const text = problemsOf({ redis: 'redis://user:secret@host', prefix: ' ' }).join();
    expect(text).not.toContain('secret');
  });

  it('leave the variables of the test suite and of others alone', () => {
    expect(() => readEnvironment({ MILLRACE_TEST_DATABASE_URL: 'x', MILLRACES: 'x', PATH: '/bin' })).not.toThrow();
  });

  it('list every variable of the environment that is read', () => {
    for (const { name } of ENVIRONMENT) expect(() => readEnvironment({ [name]: 'a' })).not.toThrow('is not known');
    expect(() => readEnvironment({ MILLRACE_SOMETHING_ELSE: 'a' })).toThrow(`known are ${ENVIRONMENT.map(({ name }) => name).sort().join(', ')}`);
  });
});
