import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lintAs, MadeUpTree } from './house-lint.js';

const LIBRARY = 'libs/streams/src/index.ts';
const INJECTED = 'libs/nestjs/src/index.ts';
const APPLICATION = 'apps/shop/src/main.ts';

const FOUR = 'readonly a: 1, readonly b: 1, readonly c: 1, readonly d: 1';

const lines = (count: number, text: string): string => `${text}\n`.repeat(count);
const functionOf = (count: number): string =>
  `export function long(a: string[]): void {\n${lines(count - 2, "a.push('a');")}}\n`;

let tree: MadeUpTree;

beforeAll(async () => {
  tree = await MadeUpTree.create();
});

afterAll(() => tree.remove());

describe('the lint that knows types', () => {
  it.each([
    {
      what: 'a promise that nobody waits for',
      text: 'Promise.resolve(1);',
      complaint: '@typescript-eslint/no-floating-promises',
    },
    {
      what: 'an exported function that does not say what it returns',
      text: 'export function one() { return 1; }',
      complaint: '@typescript-eslint/explicit-function-return-type',
    },
    {
      what: 'a method that does not say what it returns',
      text: 'export class One { one() { return 1; } }',
      complaint: '@typescript-eslint/explicit-function-return-type',
    },
    { what: 'any', text: 'export const one: any = 1;', complaint: '@typescript-eslint/no-explicit-any' },
  ])('refuses $what', async ({ text, complaint }) => {
    expect(await lintAs(LIBRARY, `${text}\n`)).toEqual([complaint]);
  });

  it('leaves value imports of classes alone, since Nest injects by them', async () => {
    const text = "import { Publisher } from '@millrace/core';\nexport type Injected = Publisher;\n";
    expect(await lintAs(INJECTED, text)).toEqual([]);
  });
});

describe('the lint of shape', () => {
  it('refuses a file over 400 lines, comments and blank lines counted', async () => {
    expect(await tree.lint(LIBRARY, lines(401, '// x'))).toEqual(['max-lines']);
    expect(await tree.lint(LIBRARY, lines(399, '// x'))).toEqual([]);
  });

  it('refuses a function over 60 lines, but not in a test', async () => {
    expect(await tree.lint(LIBRARY, functionOf(61))).toEqual(['max-lines-per-function']);
    expect(await tree.lint(LIBRARY, functionOf(60))).toEqual([]);
    expect(await tree.lint('libs/streams/test/x.spec.ts', functionOf(61))).toEqual([]);
  });

  it.each([
    { what: 'a fourth parameter', text: 'export function f(a: 1, b: 1, c: 1, d: 1): number { return a + b + c + d; }' },
    { what: 'a fourth parameter of a port', text: 'export interface Port { f(a: 1, b: 1, c: 1, d: 1): void }' },
    { what: 'a fourth parameter of a constructor', text: `export class A { constructor(${FOUR}) {} }` },
  ])('refuses $what', async ({ text }) => {
    expect(await tree.lint(LIBRARY, `${text}\n`)).toEqual(['no-restricted-syntax']);
  });

  it('lets a constructor take what Nest injects, and no other function', async () => {
    expect(await tree.lint(INJECTED, `export class A { constructor(${FOUR}) {} }\n`)).toEqual([]);
    expect(await tree.lint(INJECTED, 'export const f = (a: 1, b: 1, c: 1, d: 1): number => a + b + c + d;\n')).toEqual([
      'no-restricted-syntax',
    ]);
  });

  it('refuses a function with too many ways through', async () => {
    const branches = Array.from({ length: 12 }, (_, index) => `if (a === ${index}) return ${index};`).join('\n');
    const text = `export function f(a: number): number {\n${branches}\nreturn -1;\n}\n`;
    expect(await tree.lint(LIBRARY, text)).toEqual(['complexity']);
  });

  it.each(['libs/streams/src/utils.ts', 'libs/streams/src/helpers/keys.ts', 'libs/streams/src/redis-manager.ts'])(
    'refuses a file that holds no noun: %s',
    async (path) => {
      expect(await tree.lint(path, 'export const a = 1;\n')).toEqual(['no-restricted-syntax']);
    },
  );
});

describe('the lint of habits', () => {
  it('refuses the console in libraries and leaves it to applications', async () => {
    expect(await tree.lint(LIBRARY, 'console.log(1);\n')).toEqual(['no-console']);
    expect(await tree.lint(APPLICATION, 'console.log(1);\n')).toEqual([]);
  });

  it.each([
    { what: 'an equality that converts', text: 'export const a = (b: unknown): boolean => b == 1;', complaint: 'eqeqeq' },
    { what: 'an I before an interface', text: 'export interface IPort { a: 1 }', complaint: 'no-restricted-syntax' },
    { what: 'an enum', text: 'export enum Colour { Red }', complaint: 'no-restricted-syntax' },
    { what: 'work left for later', text: '// TODO: more', complaint: 'no-warning-comments' },
    { what: 'a line over 130 characters', text: `// ${'x'.repeat(128)}`, complaint: 'max-len' },
  ])('refuses $what', async ({ text, complaint }) => {
    expect(await tree.lint(LIBRARY, `${text}\n`)).toEqual([complaint]);
  });

  it('refuses to be switched off without a reason', async () => {
    const after = (comment: string): Promise<string[]> => tree.lint(LIBRARY, `${comment}\nconsole.log(1);\n`);
    expect(await after('// eslint-disable-next-line no-console')).toEqual(['millrace/reasoned-disable']);
    expect(await after('/* eslint-disable */')).toEqual(['millrace/reasoned-disable']);
    expect(await after('// eslint-disable-next-line no-console -- the one line that a person reads')).toEqual([]);
  });

  it('refuses to be switched off for nothing', async () => {
    const text = '// eslint-disable-next-line no-console -- there was a reason once\nexport const a = 1;\n';
    expect(await tree.lint(LIBRARY, text)).toEqual([expect.stringContaining('Unused eslint-disable directive')]);
  });
});
