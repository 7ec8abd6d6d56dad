import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillraceError } from '@millrace/core';

/** The locks of this process: a file with its number may also be left over from another process that had the same one. */
const held = new Set<string>();

/**
 * Keeps a folder for one database: two in the same would overwrite each other's data without noticing. It is a file beside
 * the folder with the number of the process; the file of a process that has ended does not count.
 */
export class FolderLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** @throws MillraceError DATABASE_FAILED the folder is in use */
  static async take(folder: string): Promise<FolderLock> {
    const file = `${folder}.lock`;
    await mkdir(dirname(folder), { recursive: true });
    if (!(await create(file))) {
      await assertLeftOver(file, folder);
      await rm(file, { force: true });
      if (!(await create(file))) throw inUse(folder, file);
    }
    held.add(file);
    return new FolderLock(file);
  }

  async release(): Promise<void> {
    held.delete(this.#file);
    await rm(this.#file, { force: true });
  }
}

async function create(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function assertLeftOver(file: string, folder: string): Promise<void> {
  const pid = Number(await readFile(file, 'utf8'));
  const alive = pid === process.pid ? held.has(file) : isAlive(pid);
  if (alive) throw inUse(folder, file);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function inUse(folder: string, file: string): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    `The folder ${folder} is in use by another embedded database: use another folder, or share that database by its URL. If ` +
      `no such process runs, delete ${file}.`,
  );
}
