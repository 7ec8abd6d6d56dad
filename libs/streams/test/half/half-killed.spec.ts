import { describe, expect, it } from '@jest/globals';
import { drawKinds, seededRandom, seedOf, TypeScriptChild, waitFor } from '@millrace/testing';
import { partitionKeys } from '../../src/keys.js';
import { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { Numbered } from '../topics.js';
import { check } from './checked.js';
import { CHECKER_ENDS, databaseKey, type HalfWorkerPlan, PUBLISHER_ENDS, type WorkerEnd } from './half-worker.js';

const COUNT = Number(process.env.MILLRACE_HALVES ?? 150);
const KILLS = Math.round(COUNT / 15);
const RUN_MS = 240_000;

const seed = seedOf();
const bed = new Bed('half-killed');

/** Values of all messages in the logs. */
async function published(): Promise<number[]> {
  const values: number[] = [];
  for (const partition of [0, 1, 2]) {
    const entries = (await bed.command('XRANGE', partitionKeys(bed.prefix, 'test.numbered', partition).log, '-', '+')) as [string, [string, string]][];
    const messages = entries.flatMap(([, [, text]]) => JSON.parse(text) as { value: number }[][]);
    values.push(...messages.map((message) => message[5]!.value));
  }
  return values.sort((one, other) => one - other);
}

/** Values whose transaction took effect. */
async function effects(): Promise<number[]> {
  const fields = (await bed.command('HGETALL', databaseKey(bed.prefix))) as string[];
  return fields.flatMap((field, index) => (index % 2 === 0 && fields[index + 1] === 'yes' ? [Number(field)] : [])).sort((one, other) => one - other);
}

async function decided(value: number, state: 'yes' | 'no'): Promise<boolean> {
  await bed.command('HSETNX', databaseKey(bed.prefix), value, state);
  return (await bed.command('HGET', databaseKey(bed.prefix), value)) === 'yes';
}

/** Values that are to be published, in turn. */
class Work {
  readonly #random = seededRandom(seed);
  #values = Array.from({ length: COUNT }, (_, value) => value);

  readonly random = (): number => this.#random();

  /** Values for a process that dies at one of them: those behind it stay here. */
  take(end: WorkerEnd): Pick<HalfWorkerPlan, 'values' | 'at'> {
    const size = 4 + Math.floor(this.random() * 10);
    const isCommitted = (value: number): boolean => value % 3 !== 0;
    const at = this.#values.findIndex((value, index) => index >= size && (!end.startsWith('commit') || isCommitted(value)));
    const values = this.#values.slice(0, at + 1);
    this.#values = this.#values.slice(at + 1);
    return { values, at: values.at(-1)! };
  }

  one(): number {
    return this.#values.shift()!;
  }

  rest(): number[] {
    return this.#values.splice(0);
  }
}

async function run(plan: Omit<HalfWorkerPlan, 'url' | 'prefix'>): Promise<void> {
  const child = new TypeScriptChild(new URL('./fixtures/half-worker.ts', import.meta.url), {
    args: [JSON.stringify({ ...plan, url: bed.url, prefix: bed.prefix })],
  });
  const { signal } = await child.ended;
  if (signal !== 'SIGKILL') await child.line();
}

async function killPublisher(work: Work, end: WorkerEnd): Promise<void> {
  await run({ end, ...work.take(end) });
}

/** There is a half message that it is asked about: its publisher has forgotten it, with its effect there or not. */
async function killChecker(work: Work, process: Process, end: WorkerEnd): Promise<void> {
  const value = work.one();
  await process.publisher.publishHalf(Numbered, { value }, { checkAfter: '1s' });
  if (value % 3 !== 0) await decided(value, 'yes');
  await run({ end, values: [], at: value });
}

describe('half messages whose publishers and checkers are killed', () => {
  it(`are published once when their transaction took effect, and else never (seed ${seed})`, async () => {
    const [process, work] = [await bed.start(), new Work()];
    const ends = drawKinds<WorkerEnd>([...PUBLISHER_ENDS, ...CHECKER_ENDS], KILLS, work.random);
    const isOfPublisher = (end: WorkerEnd): boolean => (PUBLISHER_ENDS as readonly string[]).includes(end);
    const next = async (): Promise<void> => {
      for (let end = ends.pop(); end; end = ends.pop()) {
        await (isOfPublisher(end) ? killPublisher(work, end) : killChecker(work, process, end));
      }
    };
    await Promise.all([next(), next()]);
    for (const value of work.rest()) {
      const half = await process.publisher.publishHalf(Numbered, { value });
      await ((await decided(value, value % 3 === 0 ? 'no' : 'yes')) ? half.commit() : half.rollback());
    }
    const { stored } = await process.streams.halves.state(Numbered);
    const [asked, again] = [new Set<number>(), [] as number[]];
    await check(process, Numbered, async ({ value }: Numbered) => {
      if (asked.has(value)) again.push(value);
      asked.add(value);
      return (await decided(value, 'no')) ? 'commit' : 'rollback';
    });
    await waitFor(async () => (await process.streams.halves.state(Numbered)).stored === 0, { what: 'all half messages to end', timeoutMs: 60_000 });
    const [all, took] = [await published(), await effects()];
    console.info(`seed=${seed} messages=${COUNT} kills=${KILLS} left=${stored} published=${all.length} effects=${took.length}`);
    expect(all).toEqual(took);
    expect(took.length).toBeGreaterThan(COUNT / 2);
    expect(stored).toBeGreaterThan(0);
    expect(again).toEqual([]);
  }, RUN_MS);
});
