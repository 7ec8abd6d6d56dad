import { readdir, readFile, readlink } from 'node:fs/promises';
import { waitFor } from './wait-for.js';

/** A process as /proc shows it: these functions work on Linux only. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly folder: string;
}

/** Every process that runs; those that have ended and are only waited for are left out. */
export async function runningProcesses(): Promise<ProcessEntry[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isInteger(pid));
  const entries = await Promise.all(pids.map(processEntry));
  return entries.filter((entry) => entry !== null);
}

/** Whether the process runs, frozen or not. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await processEntry(pid)) !== null;
}

/**
 * Resolves when no child of this process runs, besides those given.
 *
 * @throws Error after 5 seconds, with the commands of those that are left
 */
export async function expectNoChildren(except: readonly number[] = []): Promise<void> {
  await waitFor(
    async () => {
      const left = (await runningProcesses()).filter(({ pid, parent }) => parent === process.pid && !except.includes(pid));
      if (left.length > 0) throw new Error(left.map(({ pid, command }) => `${pid} ${command}`).join('; '));
      return true;
    },
    { what: 'the child processes of this test to end', timeoutMs: 5_000 },
  );
}

async function processEntry(pid: number): Promise<ProcessEntry | null> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // pid (name) state parent ...; the name may hold spaces and brackets.
    const [state, parent] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return null;
    const [command, folder] = await Promise.all([readFile(`/proc/${pid}/cmdline`, 'utf8'), readlink(`/proc/${pid}/cwd`)]);
    return { pid, parent: Number(parent), command: command.replaceAll('\0', ' ').trim(), folder };
  } catch {
    // It ended between being listed and being read, or belongs to another user and is none of ours.
    return null;
  }
}
