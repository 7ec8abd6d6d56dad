import { describe, expect, it } from '@jest/globals';
import { dirname, join } from 'node:path';
import { TypeScriptChild } from '@millrace/testing';
import { complaints } from './complaints.js';
import { allBlocks, documents, examplesOf } from './documents.js';
import { has, pathOf, read } from './repository.js';
import { problemsOf, shellCommands } from './shell-lines.js';

const LANGUAGES = ['ts', 'sh', 'jsonc', 'text', 'diff', 'dockerfile', 'ini', 'yaml'];
const withExamples = documents().filter((document) => examplesOf(document).size > 0);

/** The test that runs the examples of a document: `docs/guides/x.md` has `test/documents/guides/x.spec.ts`. */
function specOf(document: string): string {
  return `test/documents/${document.replace(/^docs\//, '').replace(/\.md$/, '.spec.ts')}`;
}

/** The targets of the links of a document, without those to other sites and inside the page. */
function linksOf(document: string): string[] {
  const links = [...read(document).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
  return links.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(document), target));
}

/** The options in the help of the demo. */
async function demoOptions(): Promise<string[]> {
  const demo = new TypeScriptChild(new URL(`file://${pathOf('apps/shop/src/main.ts')}`), { args: ['--help'] });
  let help = '';
  demo.process.stdout.on('data', (chunk: Buffer) => (help += chunk.toString()));
  await demo.ended;
  return [...help.matchAll(/--[a-z-]+/g)].map(([option]) => option);
}

describe('the README', () => {
  it('can be read in one go: 250 lines at the most', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(250);
  });

  it('names the two commands', () => {
    expect(read('README.md')).toContain('npm run demo');
    expect(read('README.md')).toContain('npm test');
  });
});

describe('the documents', () => {
  it('say of each block in which language it is', () => {
    expect(allBlocks().filter(({ language }) => !LANGUAGES.includes(language))).toEqual([]);
  });

  it('give each example in TypeScript the name of a file, which is its own in the document', () => {
    const examples = allBlocks().filter(({ language }) => language === 'ts');
    expect(examples.filter(({ name }) => name === null)).toEqual([]);
    expect(withExamples.flatMap((document) => [...examplesOf(document)])).toHaveLength(examples.length);
  });

  it('have examples that compile', () => {
    const files = withExamples.flatMap((document) => [...examplesOf(document)].map(([name, text]) => [`${document}/${name}`, text] as const));
    const wrong = ['wrong.ts', "import { Nothing } from '@millrace/nestjs';"] as const;
    expect(complaints(new Map([...files, wrong]))).toEqual([expect.stringContaining("wrong.ts: Module '\"@millrace/nestjs\"' has no exported member 'Nothing'")]);
  });

  it.each(withExamples)('%s has a test that runs its examples, and fails for one that it does not run', (document) => {
    const spec = specOf(document);
    expect([spec, has(spec)]).toEqual([spec, true]);
    expect(read(spec)).toContain(`Surroundings.of('${document}')`);
    expect(read(spec)).toContain('expect(around.examples.notRun()).toEqual([])');
  });

  it.each(documents())('%s tells its readers to run only what is there', (document) => {
    expect(shellCommands(document).flatMap(problemsOf)).toEqual([]);
  });

  it('name only options that the demo has', async () => {
    const options = await demoOptions();
    const commands = documents().flatMap(shellCommands).filter(({ words }) => words.includes('demo') && words.includes('--'));
    const named = commands.flatMap(({ words }) => words.slice(words.indexOf('--') + 1)).filter((word) => word.startsWith('--'));
    expect(named).not.toEqual([]);
    expect(named.filter((option) => !options.includes(option))).toEqual([]);
  });

  it.each(documents())('%s has links that lead somewhere', (document) => {
    expect(linksOf(document).filter((target) => !has(target))).toEqual([]);
  });
});

describe('a shell line', () => {
  it.each([
    ['npm run nothing', 'has no script nothing'],
    ['npm install express-fantasy', 'no test of ours uses'],
    ['npm install @nestjs/core@11', 'we test with'],
    ['node dist/nothing.js', 'no example'],
    ['docker compose -f docker/nothing.yaml up', 'is not there'],
    ['export MILLRACE_NOTHING=1', 'reads no MILLRACE_NOTHING'],
    ['make coffee', 'not checked'],
  ])('%s would be told of', (line, problem) => {
    expect(problemsOf({ document: 'README.md', words: line.split(' ') })).toEqual([expect.stringContaining(problem)]);
  });
});
