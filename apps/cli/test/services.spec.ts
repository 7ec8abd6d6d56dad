import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { Registry } from '@millrace/rpc';
import { CliBed, rowsOf } from './cli-bed.js';
import { PROBLEMS, serveFailing } from './failing-service.js';
import { onTerminal, runHere } from './run-here.js';
import { HOSTILE, STEERING } from './topics.js';

const bed = new CliBed('services');

async function serve(service: string): Promise<void> {
  const charge = { idempotent: true, timeoutMs: 1_000, digest: 'd', handle: () => Promise.resolve('null') };
  await bed.rpc.serve({ service, version: '1.0.0', concurrency: 2, methods: new Map([['charge', charge]]) });
}

describe('millrace services', () => {
  it('lists services, and shows one with its instances', async () => {
    await serve('payments');
    expect(rowsOf((await bed.run(['services', 'ls'])).stdout)).toEqual([
      { SERVICE: 'payments', VERSION: '1.0.0', INSTANCES: '1', DRAINING: '0', CONFLICT: 'no', METHODS: 'charge' },
    ]);
    const { stdout } = await bed.run(['services', 'info', 'payments']);
    expect(rowsOf(stdout.split('Instances\n')[1]!)).toMatchObject([{ SERVICE: 'payments', STATE: 'present' }]);
    expect(await bed.json(['services', 'info', 'payments'])).toMatchObject({ service: 'payments', versions: [{ instances: 1 }], instances: [{ pid: process.pid }] });
    expect((await bed.run(['services', 'info', 'none'])).code).toBe(3);
  });

  it('lists instances', async () => {
    await serve('payments');
    await serve('stock');
    expect(rowsOf((await bed.run(['instances', 'ls'])).stdout).map(({ SERVICE }) => SERVICE)).toEqual(['payments', 'stock']);
    expect(rowsOf((await bed.run(['instances', 'ls', '--service', 'stock', '--raw'])).stdout)).toMatchObject([{ PID: `${process.pid}` }]);
  });
});

/** Answers with the request in a list; fails where the request is a text. */
async function echo(version = '1.0.0', service = 'shop.echo'): Promise<void> {
  const handle = ({ payload, method }: { payload: string; method: string }): Promise<string> => {
    const request = JSON.parse(payload) as unknown;
    return typeof request === 'string' ? Promise.reject(new MillraceError('INVALID_INPUT', request)) : Promise.resolve(JSON.stringify([method, request]));
  };
  const slow = (): Promise<string> => new Promise(() => undefined);
  const rules = { idempotent: true, timeoutMs: 30_000 };
  await bed.rpc.serve({ service, version, concurrency: 2, methods: new Map([['say', { ...rules, handle }], ['wait', { ...rules, handle: slow }]]) });
}

describe('millrace services call', () => {
  it('calls a method by its name and prints the answer as JSON', async () => {
    await echo();
    const line = ['services', 'call', 'shop.echo.say', '{"a":[1]}'];
    expect(await bed.run(line)).toEqual({ code: 0, stdout: '["say",{"a":[1]}]\n', stderr: '' });
    expect(await bed.json(line)).toEqual({ apiVersion: 1, result: ['say', { a: [1] }] });
    expect(await bed.run(['services', 'call', 'shop.echo.say'])).toMatchObject({ code: 0, stdout: '["say",null]\n' });
    expect(await runHere([...line.slice(0, 3), '-'], { env: bed.env, piped: '[2]' })).toMatchObject({ code: 0, stdout: '["say",[2]]\n' });
  });

  it('says what is wrong, and when the time is up', async () => {
    await echo();
    const run = async (...args: string[]): Promise<[number | null, string]> => {
      const { code, stderr } = await bed.run(['services', 'call', ...args]);
      return [code, stderr];
    };
    expect(await run('echo')).toEqual([2, expect.stringContaining('as payments.charge')]);
    expect(await run('shop.echo.say', '{a:1}')).toEqual([2, expect.stringContaining('The request is no JSON')]);
    expect(await run('none.say', '1')).toEqual([3, expect.stringContaining('No instance serves none')]);
    expect(await run('shop.echo.none', '1')).toEqual([3, expect.stringContaining('[UNKNOWN_METHOD]')]);
    expect(await run('shop.echo.wait', '1', '--timeout', '200ms')).toEqual([124, expect.stringContaining('[CALL_TIMEOUT]')]);
    expect(await run('shop.echo.say', '"no good"')).toEqual([2, expect.stringContaining('no good')]);
    await echo('2.0.0');
    expect(await run('shop.echo.say', '1')).toEqual([2, expect.stringContaining('1.0.0, 2.0.0. Say --service-version')]);
    expect((await run('shop.echo.say', '1', '--service-version', '2.0.0'))[0]).toBe(0);
  });

  it('shows the code, the words and the data of an error that the method threw', async () => {
    await serveFailing(bed.rpc);
    const line = ['services', 'call', 'shop.failing.limit', '1'];
    expect(await bed.run(line)).toEqual({
      code: 1, stdout: '', stderr: 'error: The called method failed: too much [REMOTE_FAILED]\n  code: LIMIT\n  data: {"limit":1000}\n',
    });
    expect(JSON.parse((await bed.run([...line, '--json'])).stderr)).toEqual({
      apiVersion: 1,
      error: {
        code: 'REMOTE_FAILED', message: 'The called method failed: too much', problems: [],
        remote: { name: 'Error', message: 'too much', code: 'LIMIT', response: { limit: 1_000 } },
      },
    });
  });

  it('lists all that is wrong with a request', async () => {
    await serveFailing(bed.rpc);
    const line = ['services', 'call', 'shop.failing.check', '1'];
    expect(await bed.run(line)).toMatchObject({
      code: 2, stderr: 'error: the payload is no valid Charge. [INVALID_PAYLOAD]\n  cents must be an integer number\n  orderId must be a string\n',
    });
    const { error } = JSON.parse((await bed.run([...line, '--json'])).stderr) as { error: object };
    expect(error).toEqual({ code: 'INVALID_PAYLOAD', message: 'the payload is no valid Charge.', problems: PROBLEMS });
  });

  it('shows nothing of an answer that steers a terminal', async () => {
    await echo();
    const request = JSON.stringify([HOSTILE]);
    const { stdout } = await onTerminal(['services', 'call', 'shop.echo.say', request], { env: bed.env });
    expect([JSON.parse(stdout), STEERING.test(stdout)]).toEqual([['say', [HOSTILE]], false]);
    const failed = await onTerminal(['services', 'call', 'shop.echo.say', JSON.stringify(HOSTILE)], { env: bed.env });
    expect([failed.code, STEERING.test(failed.stderr)]).toEqual([2, false]);
  });

  it('goes through a server by its route, with the time and the version in headers', async () => {
    const heard: unknown[] = [];
    const answers = [[200, 'application/json', '{"ok":true}'], [502, 'application/problem+json', '{"status":502,"title":"The method failed.","code":"REMOTE_FAILED","remote":{"name":"Error","message":"on fire","code":"LIMIT"}}']] as const;
    const answer = async (request: IncomingMessage): Promise<(typeof answers)[number]> => {
      const { method, url, headers } = request;
      return answers[heard.push([method, url, headers['millrace-timeout'], headers['millrace-version'], headers.authorization, await text(request)]) - 1]!;
    };
    const server = createServer((request, response) => void answer(request).then(([status, type, body]) => response.writeHead(status, { 'content-type': type }).end(body)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const line = ['services', 'call', 'a.b.c', '[1]', '--service-version', '1', '--timeout', '3s', '--token', 't', '--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    expect(await bed.run(line)).toMatchObject({ code: 0, stdout: '{"ok":true}\n' });
    expect(await bed.run(line)).toMatchObject({ code: 1, stderr: 'error: The called method failed: on fire [REMOTE_FAILED]\n  code: LIMIT\n' });
    expect(heard).toEqual([1, 2].map(() => ['POST', '/millrace/api/v1/services/a.b/c/call', '3000ms', '1', 'Bearer t', '[1]']));
    server.closeAllConnections();
    server.close();
  });
});

describe('millrace services ping and stats', () => {
  it('fails with code 7 for a service without an instance that takes calls', async () => {
    await serve('payments');
    await echo();
    expect(rowsOf((await bed.run(['services', 'ping'])).stdout)).toMatchObject([{ SERVICE: 'payments', ANSWERS: 'yes', ALIVE: '1' }, { SERVICE: 'shop.echo', ANSWERS: 'yes' }]);
    const { redis, prefix, streams: { presence } } = bed;
    const registry = new Registry({ redis, presence, prefix, pollMs: undefined });
    await registry.register({ service: 'stock', version: '1', member: await presence.join(), methods: {}, draining: true });
    const { code, stderr } = await bed.run(['services', 'ping']);
    expect([code, stderr]).toEqual([7, expect.stringContaining('No instance is alive and takes calls: stock.')]);
    expect((await bed.run(['services', 'ping', 'payments'])).code).toBe(0);
    await registry.stop();
    expect((await bed.run(['services', 'ping', 'none'])).code).toBe(3);
  });

  it('fails with code 7 when no service is there, and when the last instance has stopped', async () => {
    const none = { code: 7, stderr: expect.stringContaining('No service has an instance, so nothing takes calls.') as unknown };
    expect(await bed.run(['services', 'ping'])).toMatchObject(none);
    await serve('payments');
    expect((await bed.run(['services', 'ping'])).code).toBe(0);
    await bed.rpc.stop(500);
    expect(await bed.run(['services', 'ping'])).toMatchObject(none);
  });

  it('needs a server for the figures of calls', async () => {
    expect(await bed.run(['services', 'stats'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Say which server is asked: --url') as unknown });
  });
});
