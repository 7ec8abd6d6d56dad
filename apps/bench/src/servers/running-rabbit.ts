import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'amqplib';
import type { BenchServer } from './server.js';

const DEFAULT_URL = 'amqp://127.0.0.1:5672';

/**
 * The RabbitMQ of this machine, at `AMQP_URL`: starting one takes longer than measuring it. Null when none answers, or when
 * its process cannot be found.
 */
export async function findRabbit(): Promise<BenchServer | null> {
  const url = process.env['AMQP_URL'] ?? DEFAULT_URL;
  const pid = await rabbitPid();
  if (pid === null || !(await answers(url))) return null;
  return { url, pid, stop: () => Promise.resolve() };
}

async function answers(url: string): Promise<boolean> {
  try {
    const connection = await connect(url);
    await connection.close();
    return true;
  } catch {
    // Nobody listens there: the caller says that it is skipped.
    return false;
  }
}

async function rabbitPid(): Promise<number | null> {
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && /beam\.smp.*rabbit/s.test(await commandOf(name))) return Number(name);
  }
  return null;
}

async function commandOf(pid: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It has ended since the folder was read.
    return '';
  }
}
