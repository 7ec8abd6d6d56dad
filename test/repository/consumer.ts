import { execFileSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { archiveOf } from './archives.js';
import { has, pathOf, read } from './repository.js';

export const LIBRARIES = readdirSync(pathOf('libs'));

/** Those that can be installed, and each have a command. */
export const PROGRAMS = ['cli', 'server', 'worker'];

/** The folder of an application outside the repository, with the packed packages of Millrace. `makeArchives` comes first. */
export class Consumer {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-consumer-'));

  private constructor() {
    mkdirSync(join(this.modules, '@millrace'), { recursive: true });
    mkdirSync(join(this.modules, '.bin'));
    this.write('package.json', '{ "type": "module" }');
  }

  /** Its other packages are those of the repository, behind links. */
  static linked(): Consumer {
    const made = new Consumer();
    const others = readdirSync(pathOf('node_modules')).filter((name) => name !== '@millrace' && name !== '.bin');
    for (const name of others) symlinkSync(pathOf(`node_modules/${name}`), join(made.modules, name));
    return made.#withMillrace();
  }

  /** It has copies of all packages that are needed to run, so nothing of it leads to the repository. */
  static copied(): Consumer {
    const made = new Consumer();
    for (const name of productionPackages()) copyTree(pathOf(name), join(made.folder, name));
    return made.#withMillrace();
  }

  get modules(): string {
    return join(this.folder, 'node_modules');
  }

  pathOf(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.pathOf(name)), { recursive: true });
    writeFileSync(this.pathOf(name), text);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** As npm does, with the commands. */
  #withMillrace(): this {
    for (const name of [...LIBRARIES, ...PROGRAMS]) {
      const target = join(this.modules, '@millrace', name);
      mkdirSync(target);
      execFileSync('tar', ['-xzf', archiveOf(name), '--strip-components', '1', '-C', target]);
      const { bin = {} } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')) as { bin?: Record<string, string> };
      for (const [command, file] of Object.entries(bin)) symlinkSync(join('../@millrace', name, file), join(this.modules, '.bin', command));
    }
    return this;
  }
}

/** `node_modules/@nestjs/core` and the others that `npm ci --omit=dev` installs here, without Millrace's own. */
export function productionPackages(): string[] {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { dev?: boolean; link?: boolean }> };
  const kept = Object.entries(packages).filter(([path, { dev, link }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !link);
  // Those of other platforms are not there.
  return kept.map(([path]) => path).filter(has);
}

/** Copies a file or a folder by hard links, which takes no room and little time. */
export function copyTree(from: string, to: string): void {
  if (!lstatSync(from).isDirectory()) return placeFile(from, to);
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) copyTree(join(from, name), join(to, name));
}

function placeFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    // The temporary folder may be on another disk.
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    execFileSync('cp', ['-P', from, to]);
  }
}
