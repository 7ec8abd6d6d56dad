/**
 * Switches off the guards that the simulation must find by itself, one after the other, and runs it until a seed fails.
 * `--seeds N` says how many seeds a guard has, default 1500; other arguments choose guards by a part of their names.
 *
 * Prints a line a mutant and `mutants=N found=N`. Exit code 1 when fewer than nine of ten are found, and when one could not be
 * made.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mutated } from './mutation.js';
import { SIMULATED_GUARDS } from './simulated-guards.js';
import { WorkingCopy } from './working-copy.js';

const TREE = resolve(import.meta.dirname, '../..');
const TIMEOUT_MS = 600_000;
const LEAST_FOUND = 0.9;

const { values, positionals } = parseArgs({ options: { seeds: { type: 'string', default: '1500' } }, allowPositionals: true });
const guards = SIMULATED_GUARDS.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
const copy = new WorkingCopy(TREE);
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

try {
  process.exitCode = (await areFound()) ? 0 : 1;
} finally {
  copy.remove();
}

function stop() {
  stopped = true;
  copy.end();
}

async function areFound() {
  let found = 0;
  for (const guard of guards) if (!stopped && (await isFound(guard))) found += 1;
  console.log(`mutants=${guards.length} found=${found}`);
  return !stopped && guards.length > 0 && found >= LEAST_FOUND * guards.length;
}

async function isFound(guard) {
  const began = performance.now();
  const run = () => copy.simulate(['--mode', guard.mode, '--seeds', values.seeds, '--until-failure', '--once'], TIMEOUT_MS);
  const report = await copy.during(guard.file, (text) => mutated(text, guard), run);
  // An error that nothing catches ends the process without a report.
  const failure = report ? report.failures[0] : { seed: '?', broken: ['it broke off, or did not end in time'] };
  const why = failure ? `seed ${failure.seed}: ${failure.broken[0].slice(0, 120)}` : `${report.seeds} seeds pass`;
  console.log(`${failure ? 'found    ' : 'NOT FOUND'} ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${guard.name} (${guard.mode}): ${why}`);
  return failure !== undefined;
}
