import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Duration, durationMs } from '@millrace/core';
import { ENVIRONMENT } from '@millrace/nestjs';
import { freePort, startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { parse } from 'yaml';
import { CONSUMER_MS, makeArchives } from '../../repository/archives.js';
import { Consumer } from '../../repository/consumer.js';
import { blocksOf } from '../../repository/documents.js';
import { APP } from '../../repository/hosted-application.js';
import { StartedProgram } from '../../repository/started-program.js';

const START_MS = 200_000;
/** How long a worker may take to close beyond the time of its handlers. */
const CLOSE_MS = 10_000;

/** The parts of a Deployment that a test can act on. */
interface Deployment {
  spec: { template: { spec: { terminationGracePeriodSeconds: number; containers: Container[] } } };
}

interface Probe {
  httpGet: { path: string; port: number };
}

interface Container extends Record<'readinessProbe' | 'livenessProbe' | 'startupProbe', Probe> {
  env: { name: string; value?: string }[];
}

const known = ['NODE_ENV', ...ENVIRONMENT.map(({ name }) => name as string)];

let [redis, consumer]: [TestRedis, Consumer] = [undefined as never, undefined as never];
beforeAll(async () => {
  await makeArchives();
  redis = await startTestRedis();
  consumer = Consumer.linked();
  consumer.write('dist/app.module.js', APP);
}, CONSUMER_MS);
afterAll(async () => {
  await redis.stop();
  consumer.remove();
});

function blocks(language: string): string[] {
  return blocksOf('docs/guides/hosting.md').filter((block) => block.language === language).map(({ text }) => text);
}

type Asked = (host: StartedProgram) => Promise<unknown>;

/** Starts a host with these variables, asks it, and stops it. */
async function startAndStop(args: readonly string[], given: NodeJS.ProcessEnv, asked: Asked): Promise<void> {
  const env = { ...process.env, ...given, REDIS_URL: redis.url };
  const [file = '', ...rest] = args;
  const host = new StartedProgram(file, rest, { cwd: consumer.folder, env });
  try {
    await asked(host);
    host.process.kill('SIGTERM');
    expect([await host.ended, host.output]).toEqual([0, expect.stringContaining('stopped')]);
  } finally {
    await host.kill();
  }
}

describe('the guide to hosting', () => {
  it('has lines that end well in the folder of an application', () => {
    const lines = blocks('sh').flatMap((text) => text.trim().split('\n'));
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const { status, stderr } = spawnSync('bash', ['-c', line], { cwd: consumer.folder, encoding: 'utf8', env: { ...process.env, REDIS_URL: redis.url } });
      expect([line, status, status === 0 ? '' : stderr]).toEqual([line, 0, '']);
    }
  }, 3 * START_MS);

  it('sets variables that there are, in the commands of Docker', () => {
    const commands = blocks('text').flatMap((text) => text.trim().split('\n'));
    const set = commands.flatMap((command) => [...command.matchAll(/ -e (\w+)/g)].map(([, name]) => name!));
    expect(set.filter((name) => !known.includes(name))).toEqual([]);
    expect(set).toContain('MILLRACE_TOKEN');
  });

  it('has a unit whose command runs the application, and stops it in the time that it has', async () => {
    const [unit = ''] = blocks('ini');
    const settings = Object.fromEntries([...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
    const env = Object.fromEntries(settings['Environment']!.split(' ').map((pair) => pair.split('=') as [string, string]));
    expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
    expect(Number(settings['TimeoutStopSec']) * 1_000).toBeGreaterThan(durationMs(env['MILLRACE_SHUTDOWN_TIMEOUT'] as Duration) + CLOSE_MS);
    const [node, ...args] = settings['ExecStart']!.split(' ');
    expect(node).toBe('/usr/bin/node');
    await startAndStop(args, env, (host) => host.says('serving Redis'));
  }, 2 * START_MS);

  it('has a manifest whose probes the worker answers, with the variables that it sets', async () => {
    const { spec } = (parse(blocks('yaml')[0]!) as Deployment).spec.template;
    const [container] = spec.containers;
    const env = Object.fromEntries(container!.env.map(({ name, value = '' }) => [name, value]));
    expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
    expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(durationMs(env['MILLRACE_SHUTDOWN_TIMEOUT'] as Duration) + CLOSE_MS);
    const probes = [container!.readinessProbe, container!.livenessProbe, container!.startupProbe].map(({ httpGet }) => httpGet);
    expect(probes.map(({ port }) => `${port}`)).toEqual(Array(3).fill(env['MILLRACE_HEALTH_PORT']));
    const port = String(await freePort());
    const worker = ['node_modules/@millrace/worker/src/main.js', '--app', 'dist/app.module.js'];
    await startAndStop(worker, { ...env, MILLRACE_HEALTH_HOST: '127.0.0.1', MILLRACE_HEALTH_PORT: port }, async (host) => {
      const allPass = async (): Promise<boolean> => {
        if (host.process.exitCode !== null) throw new Error(`it has ended: ${host.output}`);
        const answers = await Promise.all(probes.map(({ path }) => fetch(`http://127.0.0.1:${port}${path}`)));
        return answers.every(({ ok }) => ok);
      };
      await waitFor(allPass, { what: 'the probes to pass', timeoutMs: START_MS });
    });
  }, 2 * START_MS);
});
