/**
 * Switches off the guards of the promises, one after the other, and expects a test to fail each time: a guard whose absence no
 * test notices is not tested. Arguments choose guards by a part of their names.
 *
 * Prints a line a mutant and `mutants=N caught=N`. Exit code 1 when one survived, could not be made, or did not end in time,
 * and when the tests fail without it.
 */
import { resolve } from 'node:path';
import { GUARDS } from './guards.js';
import { mutated } from './mutation.js';
import { caughtBy, unfit } from './report.js';
import { WorkingCopy } from './working-copy.js';

const TREE = resolve(import.meta.dirname, '../..');
const TIMEOUT_MS = 60_000;

const wanted = process.argv.slice(2);
const guards = GUARDS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const copy = new WorkingCopy(TREE);
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

try {
  process.exitCode = (await isFit()) && (await allCaught()) ? 0 : 1;
} finally {
  copy.remove();
}

function stop() {
  stopped = true;
  copy.end();
}

/** Whether the tests are there, and green while nothing is switched off: each is run as it will be, since another may help it. */
async function isFit() {
  const problems = [];
  for (const guard of new Map(guards.map((each) => [`${each.spec} ${each.title}`, each])).values()) {
    if (!stopped) problems.push(unfit(await copy.test(guard, TIMEOUT_MS), guard));
  }
  const found = problems.filter(Boolean);
  for (const problem of found) console.log(problem);
  return !stopped && guards.length > 0 && found.length === 0;
}

async function allCaught() {
  let caught = 0;
  for (const guard of guards) if (!stopped && (await isCaught(guard))) caught += 1;
  console.log(`mutants=${guards.length} caught=${caught}`);
  return caught === guards.length;
}

async function isCaught(guard) {
  const began = performance.now();
  const { verdict, why } = await verdictOn(guard);
  console.log(`${verdict.padEnd(8)} ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${guard.name}: ${why}`);
  return verdict === 'caught';
}

async function verdictOn(guard) {
  try {
    const run = () => copy.test(guard, TIMEOUT_MS);
    const report = await copy.during(guard.file, (text) => mutated(text, guard), run);
    if (!report) return { verdict: 'HUNG', why: `${guard.spec} did not end in ${TIMEOUT_MS / 1000} s` };
    const title = caughtBy(report, guard);
    return title ? { verdict: 'caught', why: title } : { verdict: 'SURVIVED', why: `'${guard.title}' does not notice` };
  } catch (error) {
    return { verdict: 'DISARMED', why: error.message };
  }
}
