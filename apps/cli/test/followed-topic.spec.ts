import { Command } from 'commander';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Publisher } from '@millrace/core';
import { createStreams } from '@millrace/streams';
import { FollowedTopic, inOrder, type TailOptions } from '../src/commands/followed-topic.js';
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
