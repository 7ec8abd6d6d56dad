import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { COMPILED } from './cli-bed.js';

/** An application outside this repository, with Millrace among its packages. */
export class ApplicationFolder {
  readonly path: string;
  /** The file of its module. */
  readonly file: string;

  private constructor(path: string) {
    this.path = path;
    this.file = join(path, 'app.module.mjs');
  }

  /** @param fixture its module, of the folder `fixtures` */
  static async of(fixture: string): Promise<ApplicationFolder> {
    const folder = new ApplicationFolder(await realpath(await mkdtemp(join(tmpdir(), 'millrace-app-'))));
    const packages = join(folder.path, 'node_modules/@millrace');
    await mkdir(packages, { recursive: true });
    await symlink(join(COMPILED, 'libs/nestjs'), join(packages, 'nestjs'));
    const module = pathToFileURL(join(COMPILED, `apps/cli/test/fixtures/${fixture}.js`)).href;
    await writeFile(folder.file, `export { AppModule } from '${module}';\n`);
    return folder;
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
