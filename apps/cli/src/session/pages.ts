import type { Page } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';
import type { Question, Session } from './session.js';

const PAGE = 500;

/** Items of several pages, as one. */
export interface Pages<T> {
  readonly items: readonly JsonOf<T>[];
  readonly scanned: number;
  readonly complete: boolean;
  readonly nextCursor: string | null;
}

interface Bounds {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Reads pages of a list until there are as many items as were asked for. */
export async function readPages<T>(session: Session, question: Question, { limit, cursor }: Bounds): Promise<Pages<T>> {
  const { operation, target, options } = question;
  const items: JsonOf<T>[] = [];
  let [scanned, next]: [number, string | null] = [0, cursor ?? null];
  do {
    const size = Math.min(PAGE, limit - items.length);
    const page = await session.ask<Page<T>>(operation, target, { ...options, limit: size, cursor: next ?? undefined });
    items.push(...page.items);
    scanned += page.scanned;
    next = page.nextCursor;
  } while (next !== null && items.length < limit && !session.signal.aborted);
  return { items, scanned, complete: next === null, nextCursor: next };
}

/** Says that there is more, where people read. */
export function noteMore({ complete, nextCursor, items }: Pages<unknown>, { output }: Session): void {
  if (complete || nextCursor === null) return;
  output.note(`There are more than these ${items.length}. Go on with --cursor ${nextCursor}`);
}
