import { channel } from 'node:diagnostics_channel';
import { presentSpans } from '@millrace/core';
import { PrometheusMetrics } from '@millrace/telemetry';
import { millrace } from '../contenders/millrace.js';
import type { Producer, Spec } from '../contenders/contender.js';
import { type Row, row } from '../report/row.js';
import type { Stage } from '../stage.js';
import { median, medianInterval } from '../statistics.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';

const PAIRS_A_ROUND = 12;
const WARM_UP_PAIRS = 4;
/** The messages of a round are spread over so many blocks. */
const BLOCKS = 30;
const SPEC: Spec = { name: 'millrace', kind: 'millrace', bytes: 200 };
/** The events of a message. */
const EVENTS = ['published', 'fetched', 'handled', 'settled'].map((name) => channel(`millrace:${name}`));
/** A publish, a handler and a settlement ask each for the tracer of the process. */
const TRACER_CHECKS = 3;
const TIMED_CHECKS = 20_000_000;

/** How a block of messages is observed. */
interface Variant {
  readonly begin: () => unknown;
  readonly end: () => void;
}

const OFF: Variant = { begin: () => undefined, end: () => undefined };

/**
 * The cost of telemetry, in CPU of a process that publishes and handles. Blocks with and without it take turns in that process,
 * in pairs, so that both meet the same code and the same heap; each pair gives a ratio.
 */
export const telemetry: Measure = {
  name: 'telemetry',
  seconds: 90,
  async *run(stage) {
    yield* await inScene(stage, async ({ server }) => {
      const line = await Line.open(server.url, stage);
      try {
        return await rowsOf(line, stage);
      } finally {
        await line.close();
      }
    });
  },
};

async function rowsOf(line: Line, stage: Stage): Promise<Row[]> {
  const metrics = new PrometheusMetrics();
  const on: Variant = { begin: () => metrics.start(), end: () => metrics.stop() };
  await ratiosOf(line, [on, OFF], { pairs: WARM_UP_PAIRS, stage });
  const pairs = PAIRS_A_ROUND * stage.options.rounds;
  const noise = await ratiosOf(line, [OFF, OFF], { pairs, stage });
  const cost = await ratiosOf(line, [on, OFF], { pairs, stage });
  const cpuUs = median(await line.blocks(pairs));
  const checks = (await line.checks()) + TRACER_CHECKS;
  return [
    ...ratioRows('telemetry off / off', noise),
    ...ratioRows('metrics on / off', cost),
    row('CPU a message, telemetry off, one process', cpuUs, { unit: 'us' }),
    row('telemetry off: checks a message', checks, { unit: 'checks' }),
    row('telemetry off: CPU of the checks / CPU a message', (checks * checkUs()) / cpuUs, { unit: 'x', bound: ['<=', 0.01] }),
  ];
}

function ratioRows(name: string, ratios: readonly number[]): Row[] {
  const [low, high] = medianInterval(ratios);
  return [
    row(`CPU a message: ${name}`, median(ratios), { unit: 'x' }),
    row(`CPU a message: ${name}, 95 % from`, low, { unit: 'x' }),
    row(`CPU a message: ${name}, 95 % to`, high, { unit: 'x' }),
  ];
}

/** One ratio a pair. Each of the two comes first in every second pair. */
async function ratiosOf(
  line: Line,
  [one, other]: readonly [Variant, Variant],
  { pairs, stage }: { readonly pairs: number; readonly stage: Stage },
): Promise<number[]> {
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    stage.signal.throwIfAborted();
    const isFirst = pair % 2 === 0;
    const first = await line.cpuUs(isFirst ? one : other);
    const second = await line.cpuUs(isFirst ? other : one);
    ratios.push(isFirst ? first / second : second / first);
  }
  return ratios;
}

/** A publisher and a handler in this process. */
class Line {
  readonly #producer: Producer;
  readonly #closeAll: () => Promise<void>;
  readonly #size: number;
  #left = 0;
  #allHandled: () => void = () => undefined;

  private constructor(parts: { producer: Producer; size: number; closeAll: () => Promise<void> }) {
    this.#producer = parts.producer;
    this.#closeAll = parts.closeAll;
    this.#size = parts.size;
  }

  static async open(url: string, { options }: Stage): Promise<Line> {
    const handled = (): void => line.#handled();
    const consumer = await millrace.openConsumer(url, SPEC, handled);
    const producer = await millrace.openProducer(url, SPEC, () => undefined);
    const closeAll = async (): Promise<void> => {
      await Promise.all([consumer.close(), producer.close()]);
    };
    const line = new Line({ producer, closeAll, size: Math.ceil(options.size / BLOCKS) });
    return line;
  }

  /** Sends one block. @returns the CPU time of this process for each message, in microseconds */
  async cpuUs({ begin, end }: Variant): Promise<number> {
    begin();
    const before = process.cpuUsage();
    await this.#send();
    const { user, system } = process.cpuUsage(before);
    end();
    return (user + system) / this.#size;
  }

  async blocks(count: number): Promise<number[]> {
    const taken: number[] = [];
    while (taken.length < count) taken.push(await this.cpuUs(OFF));
    return taken;
  }

  /** How often a message asks whether anybody listens to its events. */
  async checks(): Promise<number> {
    let checks = 0;
    const count = (): boolean => {
      checks += 1;
      return false;
    };
    for (const each of EVENTS) Object.defineProperty(each, 'hasSubscribers', { configurable: true, get: count });
    try {
      await this.#send();
    } finally {
      for (const each of EVENTS) Reflect.deleteProperty(each, 'hasSubscribers');
    }
    return checks / this.#size;
  }

  close(): Promise<void> {
    return this.#closeAll();
  }

  async #send(): Promise<void> {
    this.#left = this.#size;
    const handled = new Promise<void>((resolve) => (this.#allHandled = resolve));
    await Promise.all([this.#producer.saturate(this.#size), handled]);
  }

  #handled(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#allHandled();
  }
}

/** The CPU time of one check, in microseconds. */
function checkUs(): number {
  const [event] = EVENTS;
  const before = process.cpuUsage();
  let found = 0;
  for (let check = 0; check < TIMED_CHECKS; check += 2) {
    if (event!.hasSubscribers) found += 1;
    if (presentSpans() !== null) found += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (TIMED_CHECKS + found);
}
