import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { pathOf } from './repository.js';

/** The errors of the compiler in files of a folder of this repository, by its rules: `shop.ts: Cannot find name 'x'.` */
export function complaints(files: ReadonlyMap<string, string>): string[] {
  mkdirSync(pathOf('dist'), { recursive: true });
  const folder = mkdtempSync(pathOf('dist/compiled-'));
  try {
    for (const [path, code] of files) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), code);
    }
    return diagnosed(folder, [...files.keys()]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function diagnosed(folder: string, paths: readonly string[]): string[] {
  const program = ts.createProgram(paths.map((path) => join(folder, path)), { ...compilerOptions(), noEmit: true });
  return paths.flatMap((path) => {
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(join(folder, path)));
    return found.map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  });
}

/** As `tsconfig.json` has them. */
export function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(pathOf('tsconfig.json'), (path) => ts.sys.readFile(path)) as { config: object };
  return ts.parseJsonConfigFileContent(config, ts.sys, pathOf('.')).options;
}
