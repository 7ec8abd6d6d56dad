import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of one test file's own. */
export class TemporaryFolder {
  #made = '';

  get path(): string {
    return this.#made;
  }

  async make(): Promise<void> {
    this.#made = await mkdtemp(join(tmpdir(), 'shop-spec-'));
  }

  async remove(): Promise<void> {
    await rm(this.#made, { recursive: true, force: true });
  }

  async write(name: string, content: string | Uint8Array): Promise<string> {
    const file = join(this.#made, name);
    await writeFile(file, content);
    return file;
  }
}
