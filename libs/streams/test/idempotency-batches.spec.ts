import { describe, expect, it } from '@jest/globals';
import { isMillraceError, PublishManyError, type PublishResult, Topic } from '@millrace/core';
import fc from 'fast-check';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';

@Topic<Keyed>('test.keyed')
class Keyed {
  value!: string;
}

interface Item {
  readonly payload: Keyed;
  readonly idempotencyKey?: string;
  readonly delay?: '1h';
}

const bed = new Bed('batches');
const payload = fc.constantFrom({ value: 'a' }, { value: 'b' });
const idempotencyKey = fc.constantFrom('x', 'y', 'z', 'ü"\\');
const item = fc.record({ payload, idempotencyKey, delay: fc.constant('1h' as const) }, { requiredKeys: ['payload'] });
const batch = (of: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> => fc.array(of, { minLength: 1, maxLength: 40 });
const prompt = fc.record({ payload, idempotencyKey }, { requiredKeys: ['payload'] });
const batches = fc.array(fc.oneof(batch(item), batch(prompt)), { minLength: 1, maxLength: 4 });

const told = ({ duplicate, offset }: PublishResult): string => `${duplicate ? 'known' : 'new'} ${offset ?? 'later'}`;

async function publish({ publisher }: Process, items: readonly Item[]): Promise<string[]> {
  try {
    return (await publisher.publishMany(Keyed, items)).map(told);
  } catch (thrown) {
    if (!(thrown instanceof PublishManyError)) throw thrown;
    return thrown.results.map((one) => {
      if (one.status === 'fulfilled') return told(one.value);
      return isMillraceError(one.reason) ? one.reason.code : String(one.reason);
    });
  }
}

/** The outcomes when each message is published by itself, one after the other. */
class Model {
  readonly #uses = new Map<string, { readonly value: string; readonly offset: number | 'later' }>();
  #next = 0;

  publish({ payload: { value }, idempotencyKey, delay }: Item): string {
    const use = idempotencyKey === undefined ? undefined : this.#uses.get(idempotencyKey);
    if (use) return use.value === value ? `known ${use.offset}` : 'IDEMPOTENCY_MISMATCH';
    const offset = delay ? 'later' : this.#next;
    if (!delay) this.#next += 1;
    if (idempotencyKey !== undefined) this.#uses.set(idempotencyKey, { value, offset });
    return `new ${offset}`;
  }
}

describe('batches of messages with and without idempotency keys, some delayed', () => {
  it('end as if each message was published by itself', async () => {
    let run = 0;
    const check = async (all: readonly Item[][]): Promise<void> => {
      bed.prefix = `batches-${(run += 1)}`;
      const process = await bed.start();
      const model = new Model();
      for (const items of all) expect(await publish(process, items)).toEqual(items.map((one) => model.publish(one)));
      await process.stop();
    };
    await fc.assert(fc.asyncProperty(batches, check), { numRuns: 50 });
  });
});
