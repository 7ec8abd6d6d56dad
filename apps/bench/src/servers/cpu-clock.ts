import { readdir, readFile } from 'node:fs/promises';

/**
 * The CPU time of a process so far, all threads, in microseconds, as the scheduler of Linux counts it. `/proc/<pid>/stat`
 * counts in hundredths of a second, too coarse for a round.
 *
 * @throws Error when the process has ended
 */
export async function cpuTimeUs(pid: number): Promise<number> {
  const threads = await threadsOf(pid);
  const times = await Promise.all(threads.map((thread) => threadTimeNs(`/proc/${pid}/task/${thread}/schedstat`)));
  return times.reduce((sum, time) => sum + time, 0) / 1_000;
}

async function threadsOf(pid: number): Promise<string[]> {
  try {
    return await readdir(`/proc/${pid}/task`);
  } catch (error) {
    throw new Error(`the server with process id ${pid} has ended`, { cause: error });
  }
}

async function threadTimeNs(path: string): Promise<number> {
  try {
    return Number((await readFile(path, 'utf8')).split(' ')[0]);
  } catch {
    // The thread has ended since the folder was read.
    return 0;
  }
}
