import { describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { type DemoOptions, parseDemoOptions } from '../src/demo/options.js';

interface Refusal {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function parse(line: string): DemoOptions {
  return parseDemoOptions(line.split(' ').filter(Boolean), silent());
}

function silent(): { out: (text: string) => void; err: (text: string) => void; written: { out: string; err: string } } {
  const written = { out: '', err: '' };
  return { written, out: (text) => void (written.out += text), err: (text) => void (written.err += text) };
}

function refusal(args: readonly string[]): Refusal {
  const output = silent();
  try {
    parseDemoOptions(args, output);
  } catch (thrown) {
    if (thrown instanceof CommanderError) return { exitCode: thrown.exitCode, ...output.written };
    throw thrown;
  }
  throw new Error(`${args.join(' ')} was accepted`);
}

describe('the options of the demo', () => {
  test('have defaults', () => {
    const { seed, ...rest } = parse('');
    expect(rest).toEqual({ encoding: 'utf-8', generate: 500, topology: 'standalone', once: false, json: false, ordered: false, kill: 0, duplicates: 0, poison: 0 });
    expect(seed).toBeGreaterThanOrEqual(0);
  });

  test('are read', () => {
    const line = '--orders some/folder --once --json --ordered --workers 3 --kill 5 --duplicates 12.5 --poison 3 --seed 7 --topology cluster';
    const asked = { orders: 'some/folder', topology: 'cluster', once: true, json: true, ordered: true, workers: 3, kill: 5, duplicates: 12.5, poison: 3, seed: 7 };
    expect(parse(line)).toMatchObject(asked);
  });

  test('--json implies --once', () => {
    expect(parse('--json').once).toBe(true);
  });

  test('draw a seed of their own each time', () => {
    expect(new Set(Array.from({ length: 5 }, () => parse('').seed)).size).toBeGreaterThan(1);
  });

  test.each([
    ['--worker 3', "unknown option '--worker'", 'Did you mean --workers?'],
    ['--poisen 3', "unknown option '--poisen'", 'Did you mean --poison?'],
    ['--nothing-like-it', "unknown option '--nothing-like-it'", '--help lists the options'],
    ['--workers three', "'three' is invalid", 'whole number from 1 to 16'],
    ['--workers 0', "'0' is invalid", 'whole number from 1 to 16'],
    ['--workers 2.5', "'2.5' is invalid", 'whole number from 1 to 16'],
    ['--workers 17', "'17' is invalid", 'whole number from 1 to 16'],
    ['--workers', "'--workers <n>' argument missing", '--help'],
    ['--kill 1e3 --workers 2', "'1e3' is invalid", 'whole number from 0 to 1000'],
    ['--kill=-1 --workers 2', "'-1' is invalid", 'whole number'],
    ['--generate 0', "'0' is invalid", 'whole number from 1 to 100000'],
    ['--generate 99999999999999999999', 'is invalid', 'whole number from 1 to 100000'],
    ['--duplicates 101', "'101' is invalid", 'number from 0 to 100'],
    ['--duplicates 10%', "'10%' is invalid", 'number from 0 to 100'],
    ['--duplicates NaN', "'NaN' is invalid", 'number from 0 to 100'],
    ['--seed 0x7', "'0x7' is invalid", 'whole number'],
    ['--seed 4294967296', 'is invalid', 'whole number from 0 to 4294967295'],
    ['--orders= --once', "'' is invalid", 'name a file or a folder'],
    ['--topology ring', "'ring' is invalid", 'standalone, cluster, sentinel'],
    ['--topology', "'--topology <name>' argument missing", '--help'],
    ['--orders x --encoding ebcdic', "'ebcdic' is invalid", 'utf-8, latin1'],
    ['--generate 5 --encoding latin1', "cannot be used with option '--generate <n>'", '--help'],
    ['--kill 1', '--kill', "needs '--workers <n>'"],
    ['--orders x --generate 5', "'--orders <path>' cannot be used with option '--generate <n>'", '--help'],
    ['orders.csv', 'too many arguments', '--help'],
  ])('%s is refused with exit code 2', (line, what, advice) => {
    const { exitCode, err, out } = refusal(line.split(' '));
    expect(err).toContain(what);
    expect(err).toContain(advice);
    expect(exitCode).toBe(2);
    expect(out).toBe('');
  });

  test('--help ends with exit code 0 and tells what happens without --once', () => {
    const { exitCode, out } = refusal(['--help']);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/Without --once the demo goes on/);
  });
});
