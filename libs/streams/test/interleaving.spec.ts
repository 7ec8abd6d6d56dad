import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import fc from 'fast-check';
import { settleKeysOf } from '../src/consume/settle-call.js';
import type { Members } from '../src/group/members.js';
import { seekPartition } from '../src/group/seek.js';
import { tendKeysOf } from '../src/group/tender.js';
import { auditKeysOf } from '../src/inspect/auditor.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { spanOfId } from '../src/log/entry-id.js';
import { putBack } from '../src/redeliver/put-back.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { numbers, Single } from './topics.js';

const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const tend = loadScript('../src/scripts/tend.lua', import.meta.url);
const trim = loadScript('../src/scripts/trim.lua', import.meta.url);
const audit = loadScript('../src/scripts/audit.lua', import.meta.url);

type Rows = [id: string, fields: string[]][];
type Outcome = 'ack' | 'retry' | 'dead' | 'release';

/** A message that a member holds. */
interface Held {
  readonly owner: string;
  readonly stream: 0 | 1;
  readonly entry: string;
  readonly base: number;
  readonly size: number;
  readonly offset: number;
  readonly text: string;
}

const bed = new Bed('interleaving');
const ERROR = { error: { name: 'Error', message: 'planned' }, attempts: 1, crashes: 0 };

/** One group, whose first message lies shortly before the second page of its bitmap, worked on by its scripts alone. */
class Group {
  readonly handled = new Set<number>();
  readonly #processes: readonly [one: Process, packing: Process];
  readonly #first: number;
  #held: Held[] = [];
  #published = 0;

  constructor(processes: readonly [Process, Process], before: number) {
    this.#processes = processes;
    this.#first = SETTLED_PAGE_OFFSETS - before;
  }

  get place(): ReturnType<typeof bed.place> {
    return bed.place(Single, 'g');
  }

  get missing(): number[] {
    const all = Array.from({ length: this.#published }, (_, index) => index + this.#first);
    return all.filter((offset) => !this.handled.has(offset));
  }

  async begin(): Promise<void> {
    await bed.command('FLUSHALL');
    await this.#processes[0].streams.declare(topicOf(Single));
    const { keys, groupKeys } = this.place;
    await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
    await bed.command('XGROUP', 'CREATE', groupKeys.again, 'g', '0', 'MKSTREAM');
    await bed.command('HSET', keys.groups, 'g', this.#first);
    await bed.command('HSET', keys.meta, 'next', this.#first, 'first', this.#first);
    await bed.command('HSET', groupKeys.stats, 'settled', 0, 'whole', 1);
  }

  async publish(count: number, isPacked: boolean): Promise<void> {
    const values = numbers(count).map(({ payload }) => ({ payload: { value: payload.value + this.#published } }));
    await this.#processes[isPacked ? 1 : 0].publisher.publishMany(Single, values);
    this.#published += count;
  }

  async read(owner: string, stream: 0 | 1, count: number): Promise<void> {
    const { key } = this.place.streams[stream];
    const reply = (await bed.command('XREADGROUP', 'GROUP', 'g', owner, 'COUNT', count, 'STREAMS', key, '>')) as [[string, Rows]] | null;
    for (const [entry, [, text]] of reply?.[0][1] ?? []) {
      const { base, size, texts } = stream === 0 ? ofLog(entry, text!) : ofAgain(text!);
      for (const [index, each] of texts.entries()) {
        const offset = base + index;
        expect([offset, valueIn(each)]).toEqual([offset, offset - this.#first]);
        const isOpen = stream === 1 || (await bed.command('GETBIT', this.#page(offset), offset % SETTLED_PAGE_OFFSETS)) === 0;
        if (isOpen) this.#held.push({ owner, stream, entry, base, size, offset, text: each });
      }
    }
  }

  async settle(index: number, outcome: Outcome): Promise<void> {
    const [held] = this.#held.splice(index % Math.max(1, this.#held.length), 1);
    if (!held) return;
    const { owner, stream, entry, base, size, offset } = held;
    const page = Math.floor(offset / SETTLED_PAGE_OFFSETS);
    const source = this.place.streams[stream];
    const head = ['g', owner, source.kind, SETTLED_PAGE_OFFSETS, '0', page, 1_000, 0];
    const run = [entry, base, size, offset, 1, outcome, ...valuesOf(held, outcome), ''];
    const reply = await this.#run(settle, [...settleKeysOf(source), this.#page(offset)], [...head, ...run]);
    if (outcome === 'ack' && reply !== 'F') this.handled.add(offset);
  }

  async vanish(owner: string): Promise<void> {
    const tools = { redis: this.#processes[0].redis.control, prefix: bed.prefix };
    for (const stream of this.place.streams) await putBack(tools, stream, { owner, fate: 'dead' });
    this.#held = this.#held.filter((held) => held.owner !== owner);
  }

  /** The members that hold something count as vanished. */
  async seek(share: number): Promise<void> {
    const members = { goneHolders: () => Promise.resolve(['a', 'b']) } as unknown as Members;
    const tools = { redis: this.#processes[0].redis, prefix: bed.prefix, members };
    const { from } = await seekPartition(tools, this.place, { position: 'latest', preview: true });
    const first = Number(await bed.command('HGET', this.place.keys.meta, 'first'));
    const offset = first + Math.floor((from - first) * share);
    await seekPartition(tools, this.place, { position: { offset }, preview: false });
  }

  async trim(most: number): Promise<void> {
    const { keys, groupKeys: { stats, open, body } } = this.place;
    const page = Math.floor(Number(await bed.command('HGET', keys.meta, 'first')) / SETTLED_PAGE_OFFSETS);
    const pages = [page, page + 1].map((number) => this.#page(number * SETTLED_PAGE_OFFSETS));
    const args = [SETTLED_PAGE_OFFSETS, page, 0, 0, 0, most, 0, 'reject', 0, most % 2 === 0 ? 0 : -1, 'g'];
    await this.#run(trim, [keys.log, keys.meta, keys.groups, stats, ...pages, open, body], args);
  }

  tend(): Promise<unknown> {
    return this.#run(tend, tendKeysOf(this.place), [64, 'g']);
  }

  async redrive(): Promise<void> {
    await this.#processes[0].streams.deadLetters.redrive(Single, 'g', { all: true });
  }

  /** Handles everything that is left. */
  async drain(): Promise<void> {
    for (let isLeft = true; isLeft; ) {
      for (const member of ['a', 'b', 'z']) await this.vanish(member);
      await this.tend();
      expect(await this.#run(audit, auditKeysOf(this.place), ['g'])).not.toContainEqual(expect.stringMatching(/./));
      await this.redrive();
      for (const stream of [0, 1] as const) await this.read('z', stream, 200);
      while (this.#held.length > 0) await this.settle(0, 'ack');
      const { lag, pending, retrying, deadLetters } = await this.state();
      isLeft = lag + pending + retrying + deadLetters > 0;
    }
  }

  state(): ReturnType<typeof bed.state> {
    return bed.state(this.#processes[0], Single, 'g');
  }

  #page(offset: number): string {
    return settledKey(bed.prefix, this.place, offset);
  }

  #run(script: typeof tend, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#processes[0].redis.control.run(script, keys, args);
  }
}

function ofLog(entry: string, text: string): { base: number; size: number; texts: string[] } {
  return { ...spanOfId(entry)!, texts: text.slice(1, -1).split(',\n') };
}

function ofAgain(copy: string): { base: number; size: number; texts: string[] } {
  const [base, , , , text] = JSON.parse(copy) as [number, number, number, number, string];
  return { base, size: 1, texts: [text] };
}

function valueIn(envelope: string): number {
  const [, , , , , payload] = JSON.parse(envelope) as unknown[];
  return (payload as { value: number }).value;
}

function valuesOf({ offset, text }: Held, outcome: Outcome): [string, string] {
  const now = Date.now();
  const times = { publishedAt: now, firstFailedAt: now, deadLetteredAt: now };
  const reason = { reason: 'ATTEMPTS_EXHAUSTED', ...ERROR, ...times, origin: { topic: 'test.single', partition: 0, group: 'g', offset } };
  const values = { ack: ['handled', ''], retry: ['0', `2 0 ${now}`], dead: [text, JSON.stringify(reason)], release: ['1 0 -', ''] };
  return values[outcome] as [string, string];
}

/** A step of a history, with its name for a counterexample. */
interface Step {
  run(group: Group): Promise<unknown>;
  [fc.toStringMethod](): string;
}

type Method = Exclude<keyof Group, 'begin' | 'drain' | 'state' | 'handled' | 'missing' | 'place'>;

function stepOf<Name extends Method>(name: Name, args: fc.Arbitrary<Parameters<Group[Name]>>): fc.Arbitrary<Step> {
  return args.map((given) => ({
    run: (group) => (group[name] as (...all: unknown[]) => Promise<unknown>)(...given),
    [fc.toStringMethod]: () => `${name}(${given.join(', ')})`,
  }));
}

const member = fc.constantFrom('a', 'b');
const settling = stepOf('settle', fc.tuple(fc.nat(100), fc.constantFrom<Outcome>('ack', 'ack', 'retry', 'dead', 'release')));
const step = fc.oneof(
  { arbitrary: stepOf('publish', fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean())), weight: 2 },
  { arbitrary: stepOf('read', fc.tuple(member, fc.constantFrom<(0 | 1)[]>(0, 0, 1), fc.integer({ min: 1, max: 8 }))), weight: 2 },
  { arbitrary: settling, weight: 8 },
  stepOf('vanish', fc.tuple(member)),
  { arbitrary: stepOf('seek', fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }))), weight: 2 },
  stepOf('trim', fc.tuple(fc.integer({ min: 1, max: 60 }))),
  stepOf('tend', fc.constant([])),
  stepOf('redrive', fc.constant([])),
);

describe('trims, seeks, retries, put-backs and redrives in any order', () => {
  const history = fc.array(step, { minLength: 30, maxLength: 90, size: 'max' });

  it('lose no message, leave none behind, and give each its own text', async () => {
    const processes = [await bed.start({ messagesPerEntry: 1 }), await bed.start({ messagesPerEntry: 16 })] as const;
    await fc.assert(fc.asyncProperty(fc.nat(60), history, async (before, steps) => {
      const group = new Group(processes, before);
      await group.begin();
      for (const each of steps) await each.run(group);
      await group.drain();
      const { open, due, body } = group.place.groupKeys;
      expect([group.missing, await bed.command('EXISTS', open, due, body)]).toEqual([[], 0]);
      expect(await group.state()).toMatchObject({ lag: 0, lost: 0 });
    }), { numRuns: 40 });
  }, 60_000);
});
