import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

/** The process that has a lock; null: it has not written yet who it is. */
export interface Holder {
  readonly pid: number | null;
}

interface Written extends Holder {
  /** When the process was started, as far as the system tells: another one may have its number now. */
  readonly started: string;
  /** Each taking of a lock has another one. */
  readonly id: string;
}

/** Nobody needs as long to write who it is. */
const WRITING_MS = 5_000;

/**
 * A file that says which process of this machine has something that one at a time may have. It goes with the process; that of one
 * that was killed is taken over.
 */
export class ProcessLock {
  readonly #path: string;
  readonly #id: string;

  private constructor(path: string, id: string) {
    this.#path = path;
    this.#id = id;
    process.once('exit', this.release);
  }

  /**
   * @param path of the file, in a folder that is there
   * @returns the lock, or who has it
   * @throws Error of the file system
   */
  static take(path: string): ProcessLock | Holder {
    const id = randomUUID();
    for (;;) {
      if (isCreated(path, id)) return new ProcessLock(path, id);
      const holder = holderOf(path);
      if (holder === null) continue;
      const other = isLiving(holder, path) ? holder : this.#cleared(path, holder);
      if (other !== null) return other;
    }
  }

  /** Where somebody has removed the file, another process may have the lock by now. */
  readonly release = (): void => {
    process.off('exit', this.release);
    if (holderOf(this.#path)?.id === this.#id) rmSync(this.#path, { force: true });
  };

  /**
   * Several may have found a dead holder, and the lock may be that of a living one by now: whoever has the lock of that one
   * taking looks again, and only then removes the file.
   *
   * @returns who does so at the moment; null when it is done
   */
  static #cleared(path: string, { id }: Written): Holder | null {
    const claim = ProcessLock.take(`${path}.${id}`);
    if (!(claim instanceof ProcessLock)) return claim;
    const holder = holderOf(path);
    if (holder?.id === id && !isLiving(holder, path)) rmSync(path, { force: true });
    claim.release();
    return null;
  }
}

function isCreated(path: string, id: string): boolean {
  try {
    writeFileSync(path, `${process.pid} ${startOf(process.pid)} ${id}\n`, { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Null: the file is gone. */
function holderOf(path: string): Written | null {
  const text = unlessGone(() => readFileSync(path, 'utf8'));
  if (text === null) return null;
  const [, pid, started, id] = /^(\d+) (\S*) (\S+)\n$/.exec(text) ?? [];
  return id === undefined ? { pid: null, started: '', id: 'unwritten' } : { pid: Number(pid), started: started!, id };
}

function isLiving({ pid, started }: Written, path: string): boolean {
  if (pid === null) return Date.now() - (unlessGone(() => statSync(path).mtimeMs) ?? 0) < WRITING_MS;
  const now = startOf(pid);
  return isThere(pid) && (started === '' || now === '' || now === started);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // The process is that of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Its start as Linux counts it; `ended` for one that its parent has not heard of yet, '' where the system does not tell. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // pid (name) state ...; the name may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
  } catch {
    // There is no such process, or no such folder on this system.
    return '';
  }
}

function unlessGone<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
