import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { VERSION } from '@millrace/host';
import { Command } from 'commander';
import { createProgram } from '../src/program.js';
import type { Surroundings } from '../src/surroundings/surroundings.js';

const SOURCES = fileURLToPath(new URL('../src', import.meta.url));

function helpOf(path: readonly string[]): string {
  let text = '';
  const sink = { write: (more: string) => void (text += more) };
  const { signal } = new AbortController();
  const atEnd = (): (() => void) => () => undefined;
  const surroundings: Surroundings = { env: {}, stdin: new PassThrough(), stdout: sink, stderr: sink, signal, atEnd };
  const program = createProgram([], surroundings);
  expect(() => program.parse([...path, '--help'], { from: 'user' })).toThrow('(outputHelp)');
  return text;
}

/** Every command of the tree by its path, groups included. */
function pathsIn(command: Command, path: readonly string[] = []): string[][] {
  const own = command.commands.filter((each) => each.name() !== 'help');
  return [[...path], ...own.flatMap((each) => pathsIn(each, [...path, each.name()]))];
}

const program = createProgram([], { signal: new AbortController().signal } as Surroundings);
const paths = pathsIn(program);

function commandAt(path: readonly string[]): Command {
  return path.reduce((parent, name) => parent.commands.find((each) => each.name() === name)!, program);
}

/** The words of a line of a shell: those of the examples are quoted in the plainest way. */
function wordsIn(line: string): string[] {
  return [...line.split(' > ')[0]!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

describe('the help', () => {
  it.each(paths.map((path) => [path.join(' ') || 'millrace', path] as const))('has an example for %s that is understood', (_name, path) => {
    const help = helpOf(path);
    const examples = [...help.split(/\nExamples?:\n/)[1]!.matchAll(/^ {2}(millrace .*)$/gm)].map(([, line]) => line!);
    expect(examples.length).toBeGreaterThan(0);
    for (const line of examples) {
      const [, ...words] = wordsIn(line);
      const command = commandAt(path);
      const isOwn = path.every((name, index) => words[index] === name);
      expect([line, isOwn]).toEqual([line, true]);
      if (command.commands.length > 0) continue;
      // The options of every command may have values, which are none of the command.
      const { operands, unknown: own } = program.parseOptions(words);
      const { unknown } = command.parseOptions([...operands.slice(path.length), ...own]);
      expect([line, unknown]).toEqual([line, []]);
    }
  });

  it('says of each option what it is for, and of each command in one sentence', () => {
    for (const path of paths) {
      const command = commandAt(path);
      expect([path, command.description()]).toEqual([path, expect.stringMatching(/^[A-Z].*\.$/)]);
      expect(command.options.filter(({ description }) => description === '')).toEqual([]);
    }
  });
});

describe('the command line', () => {
  it('has the version of its package', () => {
    const { version } = JSON.parse(readFileSync(join(SOURCES, '../package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
  });

  it('loads neither Nest nor, before it is needed, the libraries that connect', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const early = files.flatMap((name) => {
      const imports = readFileSync(join(SOURCES, name), 'utf8').matchAll(/^(?:import|export) (?!type\b)[^;]*?from '([^']+)';$/gm);
      return [...imports].map(([, specifier]) => specifier!).filter((specifier) => /^@nestjs\/|^@millrace\/(?!(?:core|host)$)/.test(specifier)).map((specifier) => `${name}: ${specifier}`);
    });
    expect(early).toEqual([]);
  });
});
