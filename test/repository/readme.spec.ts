import { describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { examples } from './examples.js';
import { read } from './repository.js';

/** What the compiler says about them, put side by side in a folder of this repository. */
function complaints(files: ReadonlyMap<string, string>): string[] {
  mkdirSync('dist', { recursive: true });
  const folder = mkdtempSync(resolve('dist/readme-'));
  try {
    for (const [name, code] of files) writeFileSync(join(folder, name), code);
    const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as { config: object };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'));
    const program = ts.createProgram([...files.keys()].map((name) => join(folder, name)), { ...options, noEmit: true });
    const sources = [...files.keys()].map((name) => program.getSourceFile(join(folder, name)));
    const found = sources.flatMap((source) => ts.getPreEmitDiagnostics(program, source));
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('README.md', () => {
  it('can be read in one go: 250 lines at the most', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(250);
  });

  it('names the two commands', () => {
    expect(read('README.md')).toContain('npm run demo');
    expect(read('README.md')).toContain('npm test');
  });

  it('shows examples that compile', () => {
    const files = examples();
    expect([...files.keys()]).toEqual(['contracts.ts', 'shop.ts', 'worker.ts', 'prices.ts']);
    expect(complaints(files)).toEqual([]);
    expect(complaints(new Map([['wrong.ts', "import { Nothing } from '@millrace/nestjs';"]]))).not.toEqual([]);
  });
});
