import type { MessagePage, MessageView, TopicInfo } from '@millrace/admin';
import { type Duration, durationMs } from '@millrace/core';
import { setTimeout as wait } from 'node:timers/promises';
import { Option } from 'commander';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { duration, whole } from '../session/common-options.js';
import { type FilterOptions, filterOf, filterOptions } from '../session/filter-options.js';
import { beginning } from '../session/moments.js';
import type { Session } from '../session/session.js';
import { MESSAGES } from './message-shape.js';

/** A message with its topic. */
type Followed = JsonOf<MessageView> & { readonly topic: string };

const FOLLOWED: Shape<Followed> = {
  id: MESSAGES.id,
  columns: [{ title: 'topic', form: TEXT, of: ({ topic }) => topic }, ...(MESSAGES.columns as Shape<Followed>['columns'])],
};

const EVERY_MS = 500;
const PAGE = 500;

interface TailOptions extends FilterOptions {
  readonly from: 'now' | 'earliest' | Date | { readonly offset: number };
  readonly last: number;
  readonly max?: number;
  readonly for?: Duration;
}

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
    const { max = Infinity, for: within } = session.options<TailOptions>();
    const end = within === undefined ? Infinity : performance.now() + durationMs(within);
    const topics = (session.invocation.args[0] as readonly string[]).map((topic) => new FollowedTopic(session, topic));
    let left = max;
    for (;;) {
      const found = (await Promise.all(topics.map((topic) => topic.next()))).flat();
      const items = found.sort((one, other) => (one.storedAt < other.storedAt ? -1 : 1)).slice(0, left);
      session.output.stream(items, FOLLOWED);
      left -= items.length;
      if (left <= 0 || performance.now() >= end) return;
      await wait(Math.min(EVERY_MS, end - performance.now()), undefined, { signal: session.signal });
    }
  },
};

interface Reading {
  readonly generation: string | null;
  /** The first offset that is not read. */
  readonly next: number;
}

type Facts = JsonOf<TopicInfo>['partitions'][number];

/** A topic, and how far it has been read. */
class FollowedTopic {
  readonly #session: Session;
  readonly #topic: string;
  /** By partition; empty before the first time. */
  readonly #read = new Map<number, Reading>();

  constructor(session: Session, topic: string) {
    this.#session = session;
    this.#topic = topic;
  }

  /** The messages that have come since it was asked before; the first time, those from where the user begins. */
  async next(): Promise<Followed[]> {
    const isFirst = this.#read.size === 0;
    const { partitions } = await this.#session.ask<TopicInfo>('topics.info', { topic: this.#topic });
    const { last, from } = this.#session.options<TailOptions>();
    const found: Followed[] = [];
    for (const facts of partitions) {
      const begin = isFirst ? firstOf(facts, { last, from }) : { offset: this.#nextOf(facts) };
      this.#read.set(facts.partition, { generation: facts.generation, next: facts.nextOffset });
      const isBehind = begin instanceof Date || begin === 'earliest' || begin.offset < facts.nextOffset;
      if (isBehind) found.push(...(await this.#from(facts.partition, begin)));
    }
    return isFirst && last > 0 && from === 'now' ? lastOf(found, last) : found;
  }

  /** A topic that was made anew is read from its beginning. */
  #nextOf({ partition, generation }: Facts): number {
    const read = this.#read.get(partition);
    return read !== undefined && read.generation === generation ? read.next : 0;
  }

  async #from(partition: number, from: OperationOptions[string]): Promise<Followed[]> {
    const found: Followed[] = [];
    let cursor: string | undefined;
    do {
      const options = { ...filterOf(this.#session.options<TailOptions>()), partition, from, cursor, limit: PAGE };
      const page: JsonOf<MessagePage> = await this.#session.ask<MessagePage>('messages.browse', { topic: this.#topic }, options);
      found.push(...page.items.map((message) => ({ topic: this.#topic, ...message })));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && !this.#session.signal.aborted);
    this.#advance(partition, found);
    return found;
  }

  /** Messages that came while it was read are read. */
  #advance(partition: number, found: readonly Followed[]): void {
    const read = this.#read.get(partition)!;
    const next = found.reduce((most, { offset }) => Math.max(most, (offset ?? -1) + 1), read.next);
    this.#read.set(partition, { ...read, next });
  }
}

function firstOf({ nextOffset }: Facts, { from, last }: Pick<TailOptions, 'from' | 'last'>): Date | 'earliest' | { readonly offset: number } {
  return from === 'now' ? { offset: Math.max(0, nextOffset - last) } : from;
}

function lastOf(found: readonly Followed[], last: number): Followed[] {
  return [...found].sort((one, other) => (one.storedAt < other.storedAt ? -1 : 1)).slice(-last);
}
