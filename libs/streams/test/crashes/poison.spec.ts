import { expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { Bed } from '../bed.js';
import { numbers, Numbered } from '../topics.js';
import { Worker, type WorkerPlan } from './worker.js';

const MESSAGES = 200;
const POISON = 100;
const bed = new Bed('poison');

/** Two workers at a time; a worker that dies is replaced. */
class Shift {
  readonly all: Worker[] = [];
  readonly #plan: WorkerPlan;
  #isOver = false;
  readonly #places: Promise<unknown>;

  constructor(plan: WorkerPlan) {
    this.#plan = plan;
    this.#places = Promise.all([this.#fill(), this.#fill()]);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    for (const worker of this.all) worker.signal('SIGKILL');
    await this.#places;
  }

  async #fill(): Promise<void> {
    while (!this.#isOver) {
      const worker = new Worker(this.#plan);
      this.all.push(worker);
      await worker.ended;
    }
  }
}

it('one message among many kills each process that begins it: it alone ends as a crash loop, and no other has more than one crash', async () => {
  const watcher = await bed.start({ leaseMs: 1_000 });
  await watcher.publisher.publishMany(Numbered, numbers(MESSAGES));
  const plan = { url: bed.url, prefix: bed.prefix, group: 'g', leaseMs: 1_000, concurrency: 64, crashLimit: 4, stopMs: 1_000 };
  const shift = new Shift({ ...plan, handlers: 'brief', poison: POISON });
  await bed.drained(watcher, Numbered, 'g', 45_000).finally(() => shift.end());
  const said = shift.all.flatMap(({ said }) => said);
  const others = numbers(MESSAGES).map(({ payload }) => payload.value).filter((value) => value !== POISON);
  const handled = new Set(said.filter(({ word }) => word === 'done').map(({ value }) => value));
  const dead = await watcher.streams.inspector.deadLetters(topicOf(Numbered), 'g');
  expect({
    kills: said.filter(({ word, value }) => word === 'begun' && value === POISON).map(({ crashes }) => crashes).sort(),
    suspected: said.filter(({ word, value, crashes }) => word === 'begun' && value !== POISON && crashes > 1).map(({ value }) => value),
    unhandled: others.filter((value) => !handled.has(value)),
    dead: dead.map(({ payload, reason }) => ({ payload, reason })),
  }).toEqual({ kills: [0, 1, 2, 3], suspected: [], unhandled: [], dead: [{ payload: { value: POISON }, reason: 'CRASH_LOOP' }] });
});
