import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { CONTENDERS } from '../contenders/catalogue.js';
import type { Consumer, Producer } from '../contenders/contender.js';
import { nowUs, order } from '../order.js';
import { Arrivals } from './arrivals.js';
import { HeapWatch } from './heap-watch.js';
import type { Ask, LastWords, Reply, Request, Span } from './messages.js';

/** One side of a contender, a process of its own: it does what its parent asks, and does not outlive it. */
process.once('disconnect', () => process.exit(1));
process.on('message', (request: Request) => void answer(request));
process.once('uncaughtException', (error) => end(error));
// Nest's clients log even when the logger of their application is off.
Logger.overrideLogger(false);

let producer: Producer | null = null;
let consumer: Consumer | null = null;
let bytes = 0;
const arrivals = new Arrivals();
const heap = new HeapWatch();

async function answer({ id, ask }: Request): Promise<void> {
  try {
    reply({ id, value: await perform(ask) });
  } catch (error) {
    reply({ id, error: messageOf(error) });
  }
}

function reply(message: Reply): void {
  if (process.connected) process.send?.(message);
}

/** The parent reports the reason, on one line: a stack between the figures helps nobody. */
function end(error: unknown): void {
  if (!process.connected) process.exit(1);
  process.send?.({ lastWords: messageOf(error) } satisfies LastWords, () => process.exit(1));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function perform(ask: Ask): unknown {
  switch (ask.ask) {
    case 'open':
      return open(ask);
    case 'saturate':
      return saturate(ask.count);
    case 'pace':
      return pace(ask.count, ask.rate);
    case 'flood':
      return opened().flood?.(ask.count);
    case 'arm':
      arrivals.arm(ask.count);
      return null;
    case 'arrived':
      return arrivals.all();
    case 'handled':
      return arrivals.soFar;
    case 'cpu':
      return cpuTimeUs();
    case 'heap':
      return heap.highest();
    case 'close':
      return close();
  }
}

async function open({ role, url, spec }: Extract<Ask, { ask: 'open' }>): Promise<void> {
  bytes = spec.bytes;
  const contender = CONTENDERS[spec.kind];
  if (role === 'producer') producer = await contender.openProducer(url, spec, arrivals.handled);
  else consumer = await contender.openConsumer(url, spec, arrivals.handled);
}

async function saturate(count: number): Promise<Span> {
  const from = nowUs();
  await opened().saturate(count);
  return { from, to: nowUs() };
}

/**
 * Sends everything that is due whenever a timer fires, because timers are too coarse for the pace. Resolves when all are
 * acknowledged: nothing is under way any more when this side is closed.
 */
async function pace(count: number, rate: number): Promise<void> {
  const [start, publishing, failures] = [nowUs(), opened(), [] as unknown[]];
  const sent: Promise<unknown>[] = [];
  while (sent.length < count && failures.length === 0) {
    const due = Math.min(count, Math.floor(((nowUs() - start) * rate) / 1e6));
    while (sent.length < due) {
      sent.push(publishing.send(order(sent.length, bytes)).catch((error: unknown) => failures.push(error)));
    }
    await pause(1);
  }
  await Promise.all(sent);
  if (failures.length > 0) throw failures[0];
}

function opened(): Producer {
  if (!producer) throw new Error('This side was not opened as a producer.');
  return producer;
}

function cpuTimeUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function close(): Promise<void> {
  await producer?.close();
  await consumer?.close();
}
