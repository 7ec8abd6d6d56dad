import { setImmediate } from 'node:timers/promises';
import { Command } from 'commander';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Publisher } from '@millrace/core';
import { createStreams } from '@millrace/streams';
import { FollowedTopic, type TailOptions } from '../src/commands/followed-topic.js';
import { type Followed, inOrder } from '../src/commands/in-order.js';
import { type CommonOptions, Session } from '../src/session/session.js';
import { surroundingsOf } from './run-here.js';
import { CliBed } from './cli-bed.js';
import { Mail, mails } from './topics.js';

const bed = new CliBed('followed');
let session: Session | null = null;
afterEach(() => session?.close());

/** The topic from its beginning on. */
function followed(): FollowedTopic {
  const options: CommonOptions & TailOptions = { from: 'earliest', last: 0 };
  const { surroundings } = surroundingsOf({ env: bed.env });
  session = new Session({ program: new Command(), command: 'millrace tail', line: [], args: [], options }, surroundings);
  return new FollowedTopic(session, 'shop.mails');
}

/** Removes all that there is, and publishes so many messages on a topic of the same name. */
async function makeAnew(count: number): Promise<void> {
  await bed.command('FLUSHALL');
  const streams = createStreams({ redis: bed.redis, prefix: bed.prefix, leaseMs: 600 });
  await new Publisher(streams).publishMany(Mail, mails(count));
  await streams.stop(500);
}

describe('a followed topic', () => {
  it('that is made anew between two pages is read from its beginning', async () => {
    await bed.publisher.publishMany(Mail, mails(1_200));
    const topic = followed();
    const [pages] = await topic.news();
    expect((await pages!.next()).value).toHaveLength(500);
    await makeAnew(3);
    expect(await pages!.next()).toMatchObject({ done: true });
    const numbers: unknown[] = [];
    for await (const page of inOrder(await topic.news())) numbers.push(...page.map(({ payload }) => payload));
    expect(numbers).toEqual([{ number: 0 }, { number: 1 }, { number: 2 }]);
  });
});

describe('pages in order', () => {
  let [reading, most] = [0, 0];

  /** Pages of messages that were stored at these times. */
  async function* pagesOf(topic: string, ...pages: string[][]): AsyncGenerator<readonly Followed[], void> {
    for (const times of pages) {
      most = Math.max(most, (reading += 1));
      await setImmediate();
      reading -= 1;
      yield times.map((storedAt) => ({ topic, storedAt }) as Followed);
    }
  }

  it('have all messages by time, also those of one millisecond and behind empty pages, and no two are read at once', async () => {
    const all = [
      pagesOf('a', ['1', '2'], [], ['2', '3']), pagesOf('b'), pagesOf('c', ['2', '2'], [], [], ['2', '4']), pagesOf('d', [], ['5']),
    ];
    const given: string[] = [];
    for await (const page of inOrder(all)) given.push(...page.map(({ topic, storedAt }) => `${storedAt} ${topic}`));
    expect(given.map((one) => one[0])).toEqual(['1', '2', '2', '2', '2', '2', '3', '4', '5']);
    expect(given.filter((one) => one === '2 c')).toHaveLength(3);
    expect(most).toBe(1);
  });
});
