import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { patternOf } from './report.js';

const JEST = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const SIMULATE = ['--import', 'reflect-metadata', '--import', './libs/testing/loader/register.mjs', 'apps/simulate/src/main.ts'];

/** A copy of the working tree in a temporary folder, with its node_modules linked: mutations there change nothing here. */
export class WorkingCopy {
  #root = mkdtempSync(join(tmpdir(), 'millrace-mutants-'));
  #running = null;

  /** @param {string} tree root of the repository: files that Git knows, and those that it does not know yet */
  constructor(tree) {
    for (const file of filesOf(tree)) {
      mkdirSync(dirname(join(this.#root, file)), { recursive: true });
      copyFileSync(join(tree, file), join(this.#root, file));
    }
    mkdirSync(join(this.#root, 'tmp'));
    symlinkSync(join(tree, 'node_modules'), join(this.#root, 'node_modules'));
  }

  /** Does the work while a file has another text. */
  async during(file, change, work) {
    const path = join(this.#root, file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, change(text));
    try {
      return await work();
    } finally {
      writeFileSync(path, text);
    }
  }

  /** Runs the tests of a guard. @returns Jest's report, or null when it had not ended in time */
  async test({ spec, title }, timeoutMs) {
    const output = join(this.#root, 'tmp', 'report.json');
    rmSync(output, { force: true });
    const args = [...JEST, '--runInBand', '--json', `--outputFile=${output}`, `--testNamePattern=${patternOf(title)}`, spec];
    await this.#run(args, { stdio: 'ignore', timeoutMs });
    return existsSync(output) ? JSON.parse(readFileSync(output, 'utf8')) : null;
  }

  /** Runs the simulation. @returns its report, or null when it had not ended in time, or could not run */
  async simulate(args, timeoutMs) {
    const output = join(this.#root, 'tmp', 'simulation.json');
    const file = openSync(output, 'w');
    await this.#run([...SIMULATE, ...args, '--json'], { stdio: ['ignore', file, 'ignore'], timeoutMs });
    closeSync(file);
    const text = readFileSync(output, 'utf8');
    return text === '' ? null : JSON.parse(text);
  }

  async #run(args, { stdio, timeoutMs }) {
    const env = { ...process.env, TMPDIR: join(this.#root, 'tmp') };
    this.#running = spawn(process.execPath, args, { cwd: this.#root, env, stdio, detached: true });
    const timer = setTimeout(() => this.end(), timeoutMs);
    await once(this.#running, 'exit');
    clearTimeout(timer);
    this.#running = null;
  }

  /** Ends the running tests with all their processes. */
  end() {
    if (this.#running) process.kill(-this.#running.pid, 'SIGKILL');
  }

  remove() {
    rmSync(this.#root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function filesOf(tree) {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: tree, encoding: 'utf8' });
  return list.split('\0').filter((file) => file !== '' && existsSync(join(tree, file)));
}
