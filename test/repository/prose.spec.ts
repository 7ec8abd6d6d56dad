import { describe, expect, it } from '@jest/globals';
import { documents } from './documents.js';
import { filesWithProse, proseOf, vagueBeginnings } from './prose.js';

const FOLDERS = ['libs/admin', 'libs/core', 'libs/host', 'libs/jobs', 'libs/ledger', 'libs/nestjs', 'libs/outbox', 'libs/redis', 'libs/rpc', 'libs/streams', 'libs/telemetry', 'libs/testing', 'apps', 'tools', 'test', 'docker'];

const DOCUMENTS = [...documents(), 'CHANGELOG.md', '.env.example', ...decisionsSince(13)];

/** The seeded faults below are no faults of the repository. */
const SEEDED = 'test/repository/prose.spec.ts';

/** Older records speak the language of their time. */
function decisionsSince(number: number): string[] {
  return filesWithProse('docs/adr').filter((path) => Number(/\d+/.exec(path)?.[0]) >= number);
}

describe('prose', () => {
  it.each(FOLDERS)('in %s begins its sentences with their subject', (folder) => {
    const files = filesWithProse(folder).filter((file) => file !== SEEDED);
    expect(files.flatMap((file) => vagueBeginnings(proseOf(file)))).toEqual([]);
  });

  it.each(DOCUMENTS)('in %s begins its sentences and headings with their subject', (document) => {
    expect(vagueBeginnings(proseOf(document))).toEqual([]);
  });
});

describe('a sentence without a subject', () => {
  it.each([
    ['a comment', 'a.ts', 'const a = 1;\n/** What is left. */\nconst b = 2;', 'a.ts:2: What is left. '],
    ['a later line of a comment', 'a.ts', '/**\n * Counts.\n * Of these some wait.\n */\nconst b = 2;', 'a.ts:3: Of these some wait.'],
    ['a sentence behind another', 'a.ts', 'f(); // It waits. Whatever fails is logged.', 'a.ts:1: Whatever fails is logged.'],
    ['a title', 'a.spec.ts', "it('of two is refused', () => {});", 'a.spec.ts:1: Of two is refused'],
    ['a title of many', 'a.spec.ts', 'describe.each([1])(`what ${a} does`, () => {});', 'a.spec.ts:1: What '],
    ['an error', 'a.ts', "throw new Error('It failed. What was sent is lost.');", 'a.ts:1: What was sent is lost.'],
    ['a script', 'a.lua', 'local a\n-- Takes one.\n-- What follows stays.', 'a.lua:3: What follows stays.'],
    ['a configuration', 'a.yaml', 'a: 1 \n# Whoever asks', 'a.yaml:2: Whoever asks'],
    ['a heading', 'a.md', '# Title\n\n## What is promised', 'a.md:3: What is promised'],
    ['a cell of a table', 'a.md', '| a | What is promised |', 'a.md:1: What is promised |'],
  ])('is found in %s, with its place', (_, file, text, found) => {
    expect(vagueBeginnings(proseOf(file, text))).toEqual([found]);
  });

  it('is not found in code, inside a sentence, or for another word', () => {
    const text = '# A\n\nOf course it does. Offsets begin at 0. It says what `What is left` is.\n\n```ts\n// What is left.\n```\n';
    expect(vagueBeginnings(proseOf('a.md', text))).toEqual([]);
    expect(vagueBeginnings(proseOf('a.ts', "f('of two'); /* it is what it is */"))).toEqual([]);
  });
});
