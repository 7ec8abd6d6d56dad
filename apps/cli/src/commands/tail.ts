import { durationMs } from '@millrace/core';
import { setTimeout as wait } from 'node:timers/promises';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import { TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { duration, whole } from '../session/common-options.js';
import { filterOptions } from '../session/filter-options.js';
import { beginning } from '../session/moments.js';
import { FollowedTopic, type TailOptions } from './followed-topic.js';
import { type Followed, inOrder } from './in-order.js';
import { MESSAGES } from './message-shape.js';

const FOLLOWED: Shape<Followed> = {
  id: MESSAGES.id,
  columns: [{ title: 'topic', form: TEXT, of: ({ topic }) => topic }, ...(MESSAGES.columns as Shape<Followed>['columns'])],
};

const EVERY_MS = 500;

export const tail: CommandSpec = {
  name: 'tail',
  summary: 'Follow the messages of topics.',
  args: ['<topic...>'],
  options: [
    new Option('--from <when>', 'begin with messages from then: now, start, a time, how long ago as -5m, or an offset').argParser(beginning).default('now'),
    new Option('-n, --last <n>', 'begin with the last so many of each topic; of those, the ones that fit').argParser(whole(0, 10_000)).default(0),
    new Option('--max <n>', 'end behind so many messages').argParser(whole(1, 1e9)),
    new Option('--for <duration>', 'end after so long').argParser(duration),
    ...filterOptions(),
  ],
  examples: ['millrace tail shop.orders -n 10', "millrace tail shop.orders shop.mails --from -5m --where 'payload.total>100' --jsonl"],
  run: async (session) => {
    const { max = Infinity, for: within, from, last } = session.options<TailOptions>();
    if (last > 0 && from !== 'now') throw usage('-n begins with the last messages, and --from with those from somewhere on. Say one of them; --max ends behind so many.');
    const end = within === undefined ? Infinity : performance.now() + durationMs(within);
    const topics = (session.invocation.args[0] as readonly string[]).map((topic) => new FollowedTopic(session, topic));
    let left = max;
    for (;;) {
      const news = (await Promise.all(topics.map((topic) => topic.news()))).flat();
      for await (const page of inOrder(news)) {
        session.output.stream(page.slice(0, left), FOLLOWED);
        left -= page.length;
        if (left <= 0) return;
      }
      if (performance.now() >= end) return;
      await wait(Math.min(EVERY_MS, end - performance.now()), undefined, { signal: session.signal });
    }
  },
};
