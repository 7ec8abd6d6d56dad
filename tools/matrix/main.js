/**
 * Runs the conformance suite, and the specs that speak to Redis, on each server of a folder:
 * `npm run test:matrix -- --servers FOLDER`, or with FOLDER in MILLRACE_SERVERS. `--only redis-8,valkey` takes servers by parts
 * of their names; other arguments are patterns of specs for Jest, in place of the list below.
 *
 * Prints a table of servers, then the tests that failed. Exit code 1 when one failed or could not run, 2 when there is no server.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { failures, isGood, resultOf, table } from './report.js';
import { serversIn } from './servers.js';

const TREE = resolve(import.meta.dirname, '../..');
/** The model and the Redis in memory are compared with one version to the letter, and are left out. */
const SUITES = [
  'libs/streams/test/conformance/redis', 'libs/streams/test/[^/]*\\.spec', 'libs/streams/test/crashes/', 'libs/streams/test/own/',
  'libs/redis/test/', 'libs/jobs/test/', 'libs/nestjs/test/redis-acl',
];

const { values, positionals } = parseArgs({
  options: { servers: { type: 'string' }, only: { type: 'string' } },
  allowPositionals: true,
});
/** The process that runs now. */
let running = null;
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

process.exitCode = await main();

function stop() {
  stopped = true;
  running?.kill('SIGTERM');
}

async function main() {
  const { servers, problem } = serversIn(values.servers ?? process.env.MILLRACE_SERVERS, values.only?.split(',') ?? []);
  if (problem) {
    console.error(problem);
    return 2;
  }
  const results = [];
  for (const server of servers) {
    if (stopped) break;
    console.error(`${server.name}: ${server.version} ...`);
    results.push(await run(server));
  }
  console.log([table(results), ...results.map(failures)].filter(Boolean).join('\n\n'));
  return !stopped && results.every(isGood) ? 0 : 1;
}

/** Tests start the first `redis-server` on the PATH. */
async function run(server) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-matrix-'));
  const report = join(folder, 'report.json');
  try {
    symlinkSync(server.binary, join(folder, 'redis-server'));
    const began = performance.now();
    await jest(['-w', '1', '--silent', '--json', '--outputFile', report, ...(positionals.length > 0 ? positionals : SUITES)], folder);
    return resultOf(server, readReport(report), performance.now() - began);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function jest(args, folder) {
  const command = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', 'node_modules/jest/bin/jest.js', ...args];
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  // Programs under test refuse a variable that is not theirs, and would take that Redis in place of the server.
  delete env.MILLRACE_SERVERS;
  delete env.REDIS_URL;
  running = spawn(process.execPath, command, { cwd: TREE, env, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((ended) => running.once('close', ended));
}

/** Null when Jest ended before it wrote one. */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
