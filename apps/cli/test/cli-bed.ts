import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { deliveryPipeline, fixed, Forwarding, type PayloadClass, Publisher, type Subscription, topicOf } from '@millrace/core';
import { connectServer, type RedisArgument, type StandaloneTopology } from '@millrace/redis';
import { createRpc, type Rpc } from '@millrace/rpc';
import { createStreams, type Streams } from '@millrace/streams';
import { startTestRedis, type TestRedis, TypeScriptChild, uniqueName, waitFor } from '@millrace/testing';
import { type Ended, runHere } from './run-here.js';

const MAIN = new URL('../src/main.ts', import.meta.url);

/** The folder of the sources that Jest has compiled. */
export const COMPILED = process.env['COMPILED_SOURCES'] ?? '';

export const COMPILED_MAIN = join(COMPILED, 'apps/cli/src/main.js');

/** A Redis server with an application, and the command line beside them: in this process, or as one of its own. */
export class CliBed {
  prefix = '';
  server!: TestRedis;
  streams!: Streams;
  publisher!: Publisher;
  rpc!: Rpc;
  /** Where the command line looks for its contexts. */
  home = '';
  redis!: StandaloneTopology;

  /**
   * Call it where `describe` is called: it registers hooks.
   *
   * @param options `isShared`: the tests of the file share one application; else each has its own
   */
  constructor(name: string, { isShared = false }: { isShared?: boolean } = {}) {
    const [before, after] = isShared ? [beforeAll, afterAll] : [beforeEach, afterEach];
    beforeAll(async () => {
      this.server = await startTestRedis();
      this.home = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
      this.redis = await connectServer({ url: this.server.url, name: 'spec' });
    });
    before(() => {
      this.prefix = uniqueName(name);
      this.streams = createStreams({ redis: this.redis, prefix: this.prefix, leaseMs: 600 });
      this.rpc = createRpc({ redis: this.redis, presence: this.streams.presence, prefix: this.prefix });
      this.publisher = new Publisher(this.streams);
    });
    after(async () => {
      await this.rpc.stop(500);
      await this.streams.stop(500);
    });
    afterAll(async () => {
      this.redis.close();
      await this.server.stop();
      await rm(this.home, { recursive: true, force: true });
    });
  }

  /** The environment of a command: that of this process, without what would lead it elsewhere. */
  get env(): NodeJS.ProcessEnv {
    const { MILLRACE_URL: _url, MILLRACE_TOKEN: _token, NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
    return { ...env, REDIS_URL: this.server.url, MILLRACE_PREFIX: this.prefix, XDG_CONFIG_HOME: this.home };
  }

  /** Runs a command line to its end in this process, with nothing to read and no terminal. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return runHere(args, { env: { ...this.env, ...env } });
  }

  /** Runs `millrace` to its end, as a process. */
  runProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return ended(process.execPath, [COMPILED_MAIN, ...args], { ...this.env, ...env });
  }

  /** Runs a line of a shell, in which `$MILLRACE` is the command. */
  shell(line: string): Promise<Ended> {
    return ended('bash', ['-c', line], { ...this.env, MILLRACE: `${process.execPath} ${COMPILED_MAIN}` });
  }

  /** The document that a command prints. */
  async json(args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await this.run([...args, '--json']);
    if (code !== 0) throw new Error(`It ended with ${code ?? 'a signal'}: ${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Runs `millrace` beside the test; it ends with the test at the latest. */
  start(args: readonly string[]): TypeScriptChild {
    return new TypeScriptChild(MAIN, { args, env: this.env });
  }

  command(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.redis.control.call(name, ...args);
  }

  /** A group whose handler does as the function does; it tries each message once. */
  subscribe(topic: PayloadClass, group: string, handle: (payload: never) => Promise<unknown>): Promise<Subscription> {
    const definition = topicOf(topic);
    const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };
    const own = handle as (payload: object) => Promise<unknown>;
    const parts = { retry, timeoutMs: null, handle: own, forwarding: new Forwarding({ jobs: undefined }) };
    const limits = { concurrency: 16, crashLimit: 10, unknownForMs: 0, start: 'earliest' } as const;
    const handler = deliveryPipeline({ topic: definition, group, ...parts });
    return this.streams.subscribe({ topic: definition, group, ...limits }, handler);
  }

  /** Gives up every message of the topic that there is, with the error. */
  async giveUp(topic: PayloadClass, group: string, error: Error): Promise<void> {
    const subscription = await this.subscribe(topic, group, () => Promise.reject(error));
    await this.idle(topic, group);
    await subscription.stop(500);
  }

  /** Resolves when the group has nothing left to do. */
  idle(topic: PayloadClass, group: string): Promise<unknown> {
    const isIdle = async (): Promise<boolean> => {
      const { lag, pending, retrying } = await this.streams.inspector.group(topic, group);
      return lag + pending + retrying === 0;
    };
    return waitFor(isIdle, { what: `${group} to have nothing left to do` });
  }
}

function ended(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The rows of a table by the titles of their columns. */
export function rowsOf(table: string): Record<string, string>[] {
  const [head = '', ...lines] = table.trimEnd().split('\n');
  const titles = head.split(/ {2,}/).map((title) => title.trim());
  return lines.map((line) => Object.fromEntries(line.trim().split(/ {2,}/).map((cell, index) => [titles[index] ?? index, cell])));
}
