import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { freePort, startTestRedis } from '@millrace/testing';
import { EXIT, exitCodeOf } from '../src/failure/exit-codes.js';
import { CliBed } from './cli-bed.js';
import { HOSTILE, STEERING } from './topics.js';

const bed = new CliBed('exits');

describe('the exit code', () => {
  it.each([
    ['0 after help', ['--help'], 0],
    ['0 after the help of a command', ['topics', 'ls', '--help'], 0],
    ['0 after the version', ['--version'], 0],
    ['2 without a command', [], 2],
    ['2 without a command of a group', ['topics'], 2],
    ['2 for an unknown command', ['topic', 'ls'], 2],
    ['2 for an unknown flag', ['topics', 'ls', '--jsn'], 2],
    ['2 for a missing argument', ['topics', 'info'], 2],
    ['2 for an argument too many', ['topics', 'info', 'a', 'b'], 2],
    ['2 for a bad number', ['topics', 'ls', '-n', '0'], 2],
    ['2 for a name that none can have', ['topics', 'info', 'a b'], 2],
    ['2 for two places to ask', ['topics', 'ls', '--url', 'http://127.0.0.1:1', '--redis', 'redis://127.0.0.1'], 2],
    ['2 for a URL that is none', ['topics', 'ls', '--redis', 'localhost'], 2],
    ['3 for a topic that is not there', ['topics', 'info', 'none'], 3],
    ['4 without --execute', ['topics', 'create', 'new'], 4],
  ])('is %s', async (_what, args, code) => {
    expect((await bed.run(args)).code).toBe(code);
  });

  it('is that of the process', async () => {
    const codes = [['--version'], ['topics', 'ls', '--jsn'], ['topics', 'info', 'none'], ['topics', 'create', 'new']].map(async (args) => (await bed.runProcess(args)).code);
    expect(await Promise.all(codes)).toEqual([EXIT.ok, EXIT.usage, EXIT.notFound, EXIT.refused]);
  });

  it('is 5 when Redis, or a server, is not there', async () => {
    const port = await freePort();
    const redis = await bed.run(['topics', 'ls', '--redis', `redis://:secret@127.0.0.1:${port}`]);
    expect([redis.code, redis.stderr]).toEqual([5, expect.stringContaining('REDIS_CLUSTER_NODES, or --redis, where one is. [REDIS_UNREACHABLE]')]);
    expect(redis.stderr).not.toMatch(/secret|the option redis/);
    const server = await bed.run(['topics', 'ls', '--url', `http://127.0.0.1:${port}`]);
    expect([server.code, server.stderr]).toEqual([5, expect.stringContaining('[API_UNREACHABLE]')]);
  });

  it('is 124 when an answer takes too long', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const server = await bed.runProcess(['topics', 'ls', '--url', url, '--request-timeout', '100ms']);
    silent.closeAllConnections();
    silent.close();
    expect([server.code, server.stderr]).toEqual([124, expect.stringContaining('[TIME_LIMIT]')]);
  });

  it('is 5 or 124, and never none, when Redis stands still', async () => {
    const redis = await startTestRedis();
    redis.pause();
    const { code } = await bed.run(['topics', 'ls', '--redis', redis.url, '--request-timeout', '2s']);
    redis.resume();
    await redis.stop();
    expect([5, 124]).toContain(code);
  });

  it('stands in the guide, each of them', () => {
    const guide = readFileSync(new URL('../../../docs/guides/operate.md', import.meta.url), 'utf8');
    const codes = [...guide.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });

  it('is 1 for a code that nobody knows', () => {
    expect(exitCodeOf('NEVER_HEARD')).toBe(1);
    expect(exitCodeOf('constructor')).toBe(1);
  });
});

describe('an error of usage', () => {
  it.each([
    [['topisc', 'ls'], 'Did you mean topics?'],
    [['groups', 'seek', 'a', 'b', '--ot', 'earliest'], 'Did you mean --to?'],
    [['dlq', 'shw'], 'Did you mean show?'],
  ])('names the nearest name for %j', async (args, advice) => {
    const { code, stdout, stderr } = await bed.run(args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(advice)]);
    expect(stderr).toMatch(/^error: .* See millrace.* --help\. \[USAGE\]\n$/);
  });

  it.each([
    [['topics', 'ls', '--json', '--jsonl'], "'--json' cannot be used with option '--jsonl'"],
    [['topics', 'ls', '-q', '--json'], "'--json' cannot be used with option '-q, --quiet'"],
    [['topics', 'ls', '--jsonl', '-q'], "'--jsonl' cannot be used with option '-q, --quiet'"],
    [['topics', 'ls', '--prefix', 'a', '--url', 'http://127.0.0.1:1'], '--prefix belongs to a Redis'],
    [['topics', 'ls', '--token', 't'], '--token belongs to a server'],
    [['topics', 'ls', '--context', 'a', '--url', 'http://127.0.0.1:1'], '--url and --context both say whom to ask'],
    [['tail', 'a', '-n', '2', '--from', 'start'], 'Say one of them'],
    [['jobs', 'ls', '--state', 'waiting'], 'Name the queue'],
    [['groups', 'ls', '--cursor', 'a'], 'Name the topic'],
    [['groups', 'lag', '--for', '1s'], 'Say --watch'],
    [['dlq', 'show', 'a', 'b', '0:1-1', '--error', '4f1d2c3b4a596877'], 'an id names one dead letter'],
    [['pub', 'a', '--file', 'a.ndjson', '--count', '2'], '--count publishes one payload'],
    [['schema', 'diff', 'a.json', 'b.json', '--app', 'a.js'], 'Say one of them alone'],
  ])('is what two options are of which one would do nothing: %j', async (args, message) => {
    const { code, stdout, stderr } = await bed.run(args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
    expect(stderr).toMatch(/\[USAGE\]|"code":"USAGE"/);
  });

  it('is one line, whatever was typed', async () => {
    for (const args of [['topics', 'info', HOSTILE], [HOSTILE], [`--${HOSTILE}`], ['messages', 'find', 'a', '--where', HOSTILE], ['topics', 'ls', '--context', HOSTILE]]) {
      const { stderr, code } = await bed.run(args);
      expect([code, stderr.trimEnd().split('\n').length, STEERING.test(stderr)]).toEqual([2, 1, false]);
    }
  });

  it('is JSON where JSON was asked for', async () => {
    const { stderr } = await bed.run(['topics', 'ls', '--jsn', '--json']);
    expect(JSON.parse(stderr)).toEqual({ apiVersion: 1, error: { code: 'USAGE', message: expect.stringContaining('--jsn') as unknown, problems: [] } });
  });
});
