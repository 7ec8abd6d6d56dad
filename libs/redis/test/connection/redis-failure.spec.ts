import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectServer, type RedisConnection, redisConnection, type StandaloneTopology, RedisFailure, redisFailure, type RunnableScript } from '@millrace/redis';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';

let redis: TestRedis;
let connections: StandaloneTopology;
let control: RedisConnection;

beforeAll(async () => {
  redis = await startTestRedis();
  connections = await connectServer({ url: redis.url });
  ({ control } = connections);
  await control.call('SET', 'text', 'x');
});

afterAll(async () => {
  connections.close();
  await redis.stop();
});

const SECRET = 'secret-payload';

function script(body: string): RunnableScript {
  const source = `#!lua\n${body}`;
  return { name: 'spec.lua', source, sha: createHash('sha1').update(source).digest('hex') };
}

const write = script("return redis.call('SET', KEYS[1], ARGV[1])");
const readOther = script("return redis.call('GET', 'other')");
const append = script("return redis.call('XADD', KEYS[1], '*', 'm', ARGV[1])");

async function failureOf(call: () => Promise<unknown>): Promise<RedisFailure> {
  try {
    await call();
  } catch (error) {
    if (error instanceof RedisFailure) return error;
    throw error;
  }
  throw new Error('Nothing failed.');
}

type Command = readonly [string, ...string[]];

/** A command and a script that write, while the server is as `set` makes it. */
async function failuresWhile(set: Command, unset: Command): Promise<RedisFailure[]> {
  await control.call(...set);
  try {
    const direct = await failureOf(() => control.call('SET', 'k', SECRET));
    // A replica is left.
    await control.whenReady(5_000);
    return [direct, await failureOf(() => control.run(write, ['k'], [SECRET]))];
  } finally {
    await control.whenReady(5_000);
    await control.call(...unset);
  }
}

/** Everything of an error that a log or an inspector could show. */
function shown(error: RedisFailure): string {
  return `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify({ ...error, message: error.message, cause: error.cause })}`;
}

describe('an answer of the server', () => {
  const config = (name: string, value: string): [string, string, string, string] => ['CONFIG', 'SET', name, value];

  it.each([
    ['out of memory', config('maxmemory', '1'), config('maxmemory', '0'), 'back-pressure', 'BACK_PRESSURE', /^OOM /],
    ['a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], 'unavailable', 'REDIS_FAILED', /^READONLY /],
    ['too few replicas', config('min-replicas-to-write', '1'), config('min-replicas-to-write', '0'), 'unavailable', 'REDIS_FAILED', /^NOREPLICAS /],
  ] as const)('%s is %3$s', async (_, set, unset, kind, code, text) => {
    for (const failure of await failuresWhile(set, unset)) {
      expect(failure).toMatchObject({ kind, code, retryable: true, cause: { message: expect.stringMatching(text) } });
      expect(shown(failure)).not.toContain(SECRET);
    }
    expect(await control.call('GET', 'k')).toBeNull();
  });

  it('that it cannot write to its disk is unavailable', async () => {
    const broken = await startTestRedis();
    const { control: its, close } = await connectionTo(broken.url);
    try {
      await rm(broken.folder, { recursive: true });
      await its.call('CONFIG', 'SET', 'save', '3600 1');
      await its.call('BGSAVE');
      const failed = async (): Promise<boolean> => String(await its.call('INFO', 'persistence')).includes('rdb_last_bgsave_status:err');
      await waitFor(failed, { what: 'the snapshot to fail' });
      for (const failure of [await failureOf(() => its.call('SET', 'k', SECRET)), await failureOf(() => its.run(write, ['k'], [SECRET]))]) {
        expect(failure).toMatchObject({ kind: 'unavailable', cause: { message: expect.stringMatching(/^MISCONF /) } });
      }
    } finally {
      close();
      await broken.stop();
    }
  });

  it('that a script keeps it busy is unavailable', async () => {
    await control.call('CONFIG', 'SET', 'busy-reply-threshold', '1');
    const endless = failureOf(() => connections.publish.run(script('while true do end'), [], []));
    const busy = await failureOf(async () => {
      for (;;) await control.call('GET', 'k');
    });
    expect(busy).toMatchObject({ kind: 'unavailable', cause: { message: expect.stringMatching(/^BUSY /) } });
    await control.call('SCRIPT', 'KILL');
    await endless;
  });

  it.each([
    ['a key of another type', () => control.call('XADD', 'text', '*', 'm', SECRET), 'fatal', /^WRONGTYPE /],
    ['a key of another type in a script', () => control.run(append, ['text'], [SECRET]), 'fatal', /^WRONGTYPE /],
    ['no group', () => control.call('XREADGROUP', 'GROUP', 'g', 'm', 'STREAMS', 'none', '>'), 'state-lost', /^NOGROUP /],
    ['no group with a name like a failure', () => control.call('XREADGROUP', 'GROUP', 'EPIPE', 'timed-out', 'STREAMS', 'ECONNRESET', '>'), 'state-lost', /^NOGROUP /],
    ['an unknown command', () => control.call('NOSUCH', SECRET, SECRET), 'unknown', /^ERR unknown command 'NOSUCH'$/],
    ['a wrong argument', () => control.call('EXPIRE', 'text', SECRET), 'unknown', /^ERR value is not an integer/],
    ['a bad line of an ACL', () => control.call('ACL', 'SETUSER', 'x', '>pw', SECRET), 'unknown', /^ERR Error in ACL SETUSER modifier ''/],
    ['an error in a script', () => control.run(script('return nil + 1'), [], [SECRET]), 'unknown', /^ERR user_script/],
    ['a script that cannot be compiled', () => control.run(script('return ((('), [], [SECRET]), 'unknown', /^ERR Error compiling script/],
  ] as const)('%s is %2$s', async (_, call, kind, text) => {
    const failure = await failureOf(call);
    expect(failure).toMatchObject({ kind, retryable: kind !== 'fatal', cause: { message: expect.stringMatching(text) } });
    expect(shown(failure)).not.toContain(SECRET);
  });

  it('that we have no permission is fatal, inside of scripts too', async () => {
    await control.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~own:*', '+@read', '+@connection', '+info', '+evalsha', '+eval');
    const reader = await connected(`redis://reader:pw@127.0.0.1:${redis.port}`);
    const calls = [
      () => reader.call('SET', 'own:k', SECRET),
      () => reader.call('GET', 'other'),
      () => reader.run(write, ['own:k'], [SECRET]),
      () => reader.run(readOther, ['own:k'], [SECRET]),
      () => reader.run(write, ['other'], [SECRET]),
    ];
    for (const call of calls) {
      const failure = await failureOf(call);
      expect(failure).toMatchObject({ kind: 'fatal', code: 'REDIS_FAILED', retryable: false });
      expect(shown(failure)).not.toContain(SECRET);
    }
    reader.close();
  });

  it.each([
    ['the stream was deleted', () => control.call('DEL', 'log'), 'state-lost', /^(UNBLOCKED the stream|NOGROUP) /],
    ['the server became a replica', () => control.call('REPLICAOF', '127.0.0.1', '1'), 'unavailable', /^UNBLOCKED force unblock/],
    ['somebody unblocked the reader with an error', async () => control.call('CLIENT', 'UNBLOCK', await blockedClient(), 'ERROR'), 'unavailable', /^UNBLOCKED client/],
  ] as const)('while a reader waits: %s', async (_, happen, kind, text) => {
    await control.call('XGROUP', 'CREATE', 'log', 'g', '0', 'MKSTREAM');
    const reader = connections.blockingFor('key', 'reader');
    await reader.whenReady(5_000);
    const reading = failureOf(() => reader.call('XREADGROUP', 'GROUP', 'g', 'm', 'BLOCK', 4_000, 'STREAMS', 'log', '>'));
    await blockedClient();
    await happen();
    expect(await reading).toMatchObject({ kind, cause: { message: expect.stringMatching(text) } });
    await control.call('REPLICAOF', 'NO', 'ONE');
    await control.call('DEL', 'log');
    reader.close();
  });
});

/** The id of the client that waits in a blocking read, as soon as there is one. */
async function blockedClient(): Promise<string> {
  for (;;) {
    const blocked = /^id=(\d+) .* flags=b /m.exec(String(await control.call('CLIENT', 'LIST')));
    if (blocked) return blocked[1]!;
  }
}

async function connected(url: string): Promise<RedisConnection> {
  const connection = redisConnection({ url }, 'spec', 'control');
  connection.connect();
  expect(await connection.whenReady(5_000)).toBe(true);
  return connection;
}

async function connectionTo(url: string): Promise<{ control: RedisConnection; close: () => void }> {
  const its = await connectServer({ url });
  return { control: its.control, close: () => its.close() };
}

describe('redisFailure', () => {
  it.each([
    ["Stream isn't writeable and enableOfflineQueue options is false", 'unsent'],
    ['Command timed out', 'indeterminate'],
    ['Connection is closed.', 'indeterminate'],
    ['Too many Cluster redirections. Last error: ReplyError: MOVED 16023 127.0.0.1:7000', 'indeterminate'],
    ['Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.', 'indeterminate'],
    ['Command aborted due to connection close', 'indeterminate'],
    ["Socket timeout. Expecting data, but didn't receive any in 3000ms.", 'indeterminate'],
    ['read ECONNRESET', 'indeterminate'],
    ['write EPIPE', 'indeterminate'],
    ['Unknown RESP type 72 "H". Please report this.', 'indeterminate'],
    ['LOADING Redis is loading the dataset in memory', 'unavailable'],
    ['CLUSTERDOWN The cluster is down', 'unavailable'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'unavailable'],
    ['MOVED 3999 127.0.0.1:6381', 'unavailable'],
    ['ASK 3999 127.0.0.1:6381', 'unavailable'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'unavailable'],
    ["OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", 'back-pressure'],
    ['NOGROUP the consumer group this client was blocked on no longer exists', 'state-lost'],
    ['NOAUTH Authentication required.', 'fatal'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'fatal'],
    ['ERR invalid password', 'fatal'],
    ["CROSSSLOT Keys in request don't hash to the same slot", 'fatal'],
    ['DENIED Redis is running in protected mode', 'fatal'],
    ['ERR ACL failure in script: User x has no permissions to run the set command', 'fatal'],
    ['BUSYGROUP Consumer Group name already exists', 'unknown'],
    ['ERR the command timed out in a way of its own', 'unknown'],
    ['something else', 'unknown'],
    ['', 'unknown'],
  ])('takes %p for %s', (text, kind) => {
    expect(redisFailure(new Error(text), 'XADD').kind).toBe(kind);
  });

  it('names the command, the meaning of the failure, and the text of the server', () => {
    expect(redisFailure(new Error('Command timed out'), 'publish.lua').message).toBe(
      'publish.lua failed: the connection to Redis was lost or too slow; the command may have been executed (Command timed out).',
    );
  });

  it('leaves out advice about an option of ioredis that no application can set', () => {
    const flushed = 'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.';
    expect(redisFailure(new Error(flushed), 'PING').message).toBe(
      'PING failed: the connection to Redis was lost or too slow; the command may have been executed (the connection ended before the answer came).',
    );
  });

  it('keeps the text of an error and nothing else of it', () => {
    const original = Object.assign(new Error('ERR no\u001b[31m'), { command: { name: 'set', args: ['k', SECRET] } });
    const failure = redisFailure(original, 'SET');
    expect(shown(failure)).not.toContain(SECRET);
    expect(failure.message).toContain('ERR no\\u001b[31m');
  });

  it('is bounded, is made of any value, and leaves its own errors as they are', () => {
    const failure = redisFailure(new Error('x'.repeat(1_000_000)), 'GET');
    expect(failure.message.length).toBeLessThan(500);
    expect(redisFailure(failure, 'other')).toBe(failure);
    expect(redisFailure(undefined, 'GET').kind).toBe('unknown');
    expect(redisFailure('Command timed out', 'GET').kind).toBe('indeterminate');
  });
});
