import type { MessageView } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';

/** A message with its topic. */
export type Followed = JsonOf<MessageView> & { readonly topic: string };

/** Pages of messages, in the order in which they were stored. */
export type Pages = AsyncGenerator<readonly Followed[], void>;

/** Merges pages by the time at which their messages were stored, with one page of each in memory. */
export async function* inOrder(all: readonly Pages[]): Pages {
  let heads = await headsOf(all.map((pages) => ({ pages, items: [] })));
  while (heads.length > 0) {
    const until = heads.map(({ items }) => items.at(-1)!.storedAt).reduce((first, time) => (time < first ? time : first));
    yield byTime(heads.flatMap(({ items }) => items.filter(({ storedAt }) => storedAt <= until)));
    heads = await headsOf(heads.map(({ pages, items }) => ({ pages, items: items.filter(({ storedAt }) => storedAt > until) })));
  }
}

interface Head {
  readonly pages: Pages;
  /** Messages that are read and not given yet. */
  readonly items: readonly Followed[];
}

/**
 * Those that have not ended, with a message at least. They are read one after the other: there may be hundreds, and a page may
 * have megabytes.
 */
async function headsOf(all: readonly Head[]): Promise<Head[]> {
  const heads: Head[] = [];
  for (const { pages, items } of all) {
    const left = items.length > 0 ? items : await nextOf(pages);
    if (left !== null) heads.push({ pages, items: left });
  }
  return heads;
}

/** The next page that is not empty; null at the end. */
async function nextOf(pages: Pages): Promise<readonly Followed[] | null> {
  for (;;) {
    const page = await pages.next();
    if (page.done) return null;
    if (page.value.length > 0) return page.value;
  }
}

function byTime(messages: Followed[]): Followed[] {
  return messages.sort((one, other) => (one.storedAt < other.storedAt ? -1 : one.storedAt > other.storedAt ? 1 : 0));
}
