import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TypeScriptChild } from '@millrace/testing';
import { JobQueue, MillraceModule, Publisher } from '@millrace/nestjs';
import { Bench } from './fixture.js';
import { Begin, WorkerJob } from './fixtures/contracts.js';

let bench: Bench;
const children: TypeScriptChild[] = [];
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await bench.closeApps();
  await Promise.all(children.splice(0).map((child) => child.kill()));
});
afterAll(() => bench.stop());

interface Started {
  readonly child: TypeScriptChild;
  /** Everything that it wrote to its standard error. */
  readonly errors: () => string;
}

function start(env: NodeJS.ProcessEnv): Started {
  const child = new TypeScriptChild(new URL('./fixtures/worker.ts', import.meta.url), { env: { REDIS_URL: bench.redis.url, ...env } });
  children.push(child);
  let text = '';
  child.process.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, errors: () => text };
}

interface Running {
  /** Its lines after `running` are still to be read. */
  readonly child: TypeScriptChild;
  readonly url: string;
  readonly publisher: Publisher;
  readonly jobs: JobQueue;
}

/** A worker, and an application that publishes and enqueues to it. */
async function running(env: NodeJS.ProcessEnv = {}): Promise<Running> {
  const prefix = bench.prefix();
  const { child } = start({ MILLRACE_PREFIX: prefix, ...env });
  const url = (await linesUntil(child, 'running')).at(-1)!.split(' ')[1];
  const app = await bench.app({ imports: [MillraceModule.forFeature([Begin, WorkerJob])] }, { prefix, handlers: 'none' });
  return { child, url: url!, publisher: app.get(Publisher), jobs: app.get(JobQueue) };
}

/** The lines until the one that is wanted, which is the last. */
async function linesUntil(child: TypeScriptChild, wanted: string): Promise<string[]> {
  const lines: string[] = [];
  while (!lines.at(-1)?.startsWith(wanted)) lines.push(await child.line());
  return lines;
}

describe('a worker process', () => {
  it('runs the handlers of an application that runs none elsewhere, and ends in order with code 0', async () => {
    const { child, publisher, jobs } = await running();
    await publisher.publish(Begin, { how: 'wait' });
    expect(await child.line()).toBe('worker wait');
    await jobs.enqueue(WorkerJob, { name: 'a' });
    expect(await child.line()).toBe('job a');
    child.process.kill('SIGTERM');
    expect(await linesUntil(child, 'log stopped')).toEqual([
      'log SIGTERM: stopping; handlers at work have 25 s to finish',
      'finished wait',
      'service closed',
      'log stopped',
    ]);
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('runs what the environment selects', async () => {
    const { child, publisher, jobs } = await running({ MILLRACE_GROUPS: 'worker' });
    await jobs.enqueue(WorkerJob, { name: 'a' });
    await publisher.publish(Begin, { how: 'now' });
    expect([await child.line(), await child.line()]).toEqual(['worker now', 'finished now']);
    child.process.kill('SIGINT');
    expect(await linesUntil(child, 'log stopped')).toHaveLength(3);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(await jobs.counts('worker-jobs')).toMatchObject({ waiting: 1 });
  });

  it('ends in order while it waits to know whether members of another order live', async () => {
    const prefix = bench.prefix();
    const first = start({ MILLRACE_PREFIX: prefix, MILLRACE_LEASE: '1h' });
    await linesUntil(first.child, 'running');
    const { child } = start({ MILLRACE_PREFIX: prefix, MILLRACE_LEASE: '1h', ORDERED: '1' });
    const waits = (await linesUntil(child, 'warn worker.begun -> worker: the start waits')).at(-1);
    expect(waits).toContain('for 5400.0 s at the most, until it is known whether these members live: ');
    expect(waits).toContain('. The group works without an order, and this process would work in order by partition');
    child.process.kill('SIGTERM');
    expect(await linesUntil(child, 'log stopped')).toEqual(['service closed', 'log stopped before the start had ended']);
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('ends at once when it is asked a second time, with 128 and the number of the signal', async () => {
    const { child, publisher } = await running();
    await publisher.publish(Begin, { how: 'hang' });
    expect(await child.line()).toBe('worker hang');
    child.process.kill('SIGTERM');
    await linesUntil(child, 'log SIGTERM: stopping');
    child.process.kill('SIGINT');
    expect(await child.ended).toEqual({ code: 130, signal: null });
  });

  it('gives up on handlers that do not finish in time, and still ends with code 0', async () => {
    const { child, publisher } = await running({ MILLRACE_SHUTDOWN_TIMEOUT: '100ms' });
    await publisher.publish(Begin, { how: 'hang' });
    expect(await child.line()).toBe('worker hang');
    child.process.kill('SIGTERM');
    expect((await linesUntil(child, 'log stopped')).slice(1)).toEqual(['service closed', 'log stopped']);
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('tells its health over HTTP', async () => {
    const { url } = await running();
    const live = await fetch(`${url}/health/live`);
    expect([live.status, await live.json()]).toEqual([200, { ok: true, state: 'running' }]);
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { ok: true, state: 'running' }]);
  });

  it('tells the details of its health where the environment asks for them', async () => {
    const { url } = await running({ MILLRACE_HEALTH_DETAILS: '1' });
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {
        ok: true,
        state: 'running',
        redis: { ok: true, problem: null },
        subscriptions: [{ topic: 'worker.begun', group: 'worker', problem: null, pausedBy: [] }],
        workers: [{ queue: 'worker-jobs', problem: null, stuck: [] }],
        services: [],
        outbox: null,
      },
    ]);
  });
});

describe('a worker process that cannot start', () => {
  /** Its output and its code. */
  async function failure(env: NodeJS.ProcessEnv): Promise<{ output: string; code: number | null; errors: string }> {
    const { child, errors } = start(env);
    let output = '';
    for (;;) {
      const line = await child.line().catch(() => null);
      if (line === null) break;
      output += `${line}\n`;
    }
    const { code } = await child.ended;
    return { output, code, errors: errors() };
  }

  it('says once what is wrong, without a stack, and ends with code 1', async () => {
    const { output, code, errors } = await failure({ MILLRACE_GROUPS: 'wroker', MILLRACE_QUEUES: 'x' });
    expect(code).toBe(1);
    expect(output).toBe(
      'service closed\n' +
        'error Cannot start: UNKNOWN_GROUP: The handlers of this application do not fit together.\n' +
        "  - This process is to run handlers that do not exist: group 'wroker' is not known: did you mean 'worker'?\n" +
        "  - This process is to run handlers that do not exist: queue 'x' is not known; known are worker-jobs.\n",
    );
    expect(errors).toBe('');
  });

  it('says once that it is not configured well, and closes what was made and nothing else', async () => {
    const { output, code, errors } = await failure({ REDIS_URL: 'localhost:6379' });
    expect({ output, code, errors }).toEqual({
      output:
        'service closed\n' +
        'error Cannot start: INVALID_OPTIONS: localhost:6379 is no URL of a Redis: it must begin with redis://, rediss:// or unix://. ' +
        'Write redis://host:6379, rediss:// for TLS, or unix:///path/of.sock.\n',
      code: 1,
      errors: '',
    });
  });

  it('shows a failure that is not ours once, with its stack', async () => {
    const { output, code, errors } = await failure({ FAIL: 'made' });
    expect(code).toBe(1);
    expect(output).toContain('error Cannot start: Error: the service cannot be made\n    at new Service');
    expect(output.match(/the service cannot be made/g)).toHaveLength(1);
    expect(errors).toBe('');
  });

  it('says that the health port is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { output, code } = await failure({ MILLRACE_HEALTH_PORT: String(port) });
    expect(code).toBe(1);
    expect(output).toBe(
      `error Cannot start: PORT_IN_USE: Port ${port} of 127.0.0.1 is in use, so it cannot serve health. ` +
        'Stop what uses it, or set MILLRACE_HEALTH_PORT to another port.\n',
    );
    await new Promise((resolve) => server.close(resolve));
  });
});
