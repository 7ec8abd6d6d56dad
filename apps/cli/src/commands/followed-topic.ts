import type { MessagePage, MessageView, TopicInfo } from '@millrace/admin';
import type { Duration } from '@millrace/core';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { type FilterOptions, filterOf } from '../session/filter-options.js';
import type { Session } from '../session/session.js';
import { type Followed, inOrder, type Pages } from './in-order.js';

export interface TailOptions extends FilterOptions {
  readonly from: 'now' | 'earliest' | Date | { readonly offset: number };
  readonly last: number;
  readonly max?: number;
  readonly for?: Duration;
}

const PAGE = 500;

interface Reading {
  readonly generation: string | null;
  /** The first offset that is not read. */
  readonly next: number;
}

type Facts = JsonOf<TopicInfo>['partitions'][number];

/** A topic, and how far it has been read. */
export class FollowedTopic {
  readonly #session: Session;
  readonly #topic: string;
  /** By partition; empty before the first time. */
  readonly #read = new Map<number, Reading>();

  constructor(session: Session, topic: string) {
    this.#session = session;
    this.#topic = topic;
  }

  /** The messages that have come since it was asked before; the first time, those from where the user begins. */
  async news(): Promise<Pages[]> {
    const isFirst = this.#read.size === 0;
    const { partitions } = await this.#session.ask<TopicInfo>('topics.info', { topic: this.#topic });
    const { last, from } = this.#session.options<TailOptions>();
    const news: Pages[] = [];
    for (const facts of partitions) {
      const begin = isFirst ? firstOf(facts, { last, from }) : { offset: this.#nextOf(facts) };
      this.#read.set(facts.partition, { generation: facts.generation, next: facts.nextOffset });
      const isBehind = begin instanceof Date || begin === 'earliest' || begin.offset < facts.nextOffset;
      if (isBehind) news.push(this.#from(facts.partition, begin));
    }
    return isFirst && last > 0 && from === 'now' ? [lastOf(news, last)] : news;
  }

  /** A topic that was made anew is read from its beginning. */
  #nextOf({ partition, generation }: Facts): number {
    const read = this.#read.get(partition);
    return read !== undefined && read.generation === generation ? read.next : 0;
  }

  async *#from(partition: number, from: OperationOptions[string]): Pages {
    let cursor: string | undefined;
    do {
      const options = { ...filterOf(this.#session.options<TailOptions>()), partition, from, cursor, limit: PAGE };
      const page = await this.#page(options);
      if (page === null) return;
      this.#advance(partition, page.items);
      yield page.items.map((message) => ({ topic: this.#topic, ...message }));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && !this.#session.signal.aborted);
  }

  /** Null: the topic was made anew since the page before. It is read from its beginning the next time. */
  async #page(options: OperationOptions): Promise<JsonOf<MessagePage> | null> {
    try {
      return await this.#session.ask<MessagePage>('messages.browse', { topic: this.#topic }, options);
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === 'INVALID_CURSOR') return null;
      throw thrown;
    }
  }

  /** Messages that came while it was read are read. */
  #advance(partition: number, items: readonly JsonOf<MessageView>[]): void {
    const read = this.#read.get(partition)!;
    const next = items.reduce((most, { offset }) => Math.max(most, (offset ?? -1) + 1), read.next);
    this.#read.set(partition, { ...read, next });
  }
}

function firstOf({ nextOffset }: Facts, { from, last }: Pick<TailOptions, 'from' | 'last'>): Date | 'earliest' | { readonly offset: number } {
  return from === 'now' ? { offset: Math.max(0, nextOffset - last) } : from;
}

async function* lastOf(news: readonly Pages[], last: number): Pages {
  let found: readonly Followed[] = [];
  for await (const page of inOrder(news)) found = [...found, ...page].slice(-last);
  yield found;
}
