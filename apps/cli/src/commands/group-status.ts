import type { GroupSummary, ListedTopic } from '@millrace/admin';
import type { JsonOf } from '../operator/operator.js';
import { type Pages, readPages } from '../session/pages.js';
import type { Question, Session } from '../session/session.js';

/** A group as it is now, in a word or two. */
export function statusOf({ state, paused, broken, members }: Pick<JsonOf<GroupSummary>, 'state' | 'paused' | 'broken' | 'members'>): string {
  if (state === null) return 'absent';
  if (paused !== null) return 'paused';
  if (livingOf(members) === 0) return 'no members';
  return broken.length > 0 ? 'breaker open' : 'running';
}

/** Members whose processes have given a sign of life of late. */
export function livingOf(members: JsonOf<GroupSummary>['members']): number {
  return members.filter(({ state }) => state === 'present' || state === 'stopping').length;
}

export function groupsOf(topic: string): Question & { readonly target: { readonly topic: string } } {
  return { operation: 'groups.list', target: { topic } };
}

/** The groups of every topic, up to a limit. */
export async function groupsOfAllTopics(session: Session, limit: number): Promise<Pages<GroupSummary>> {
  const all = await readPages<ListedTopic>(session, { operation: 'topics.list' }, { limit: 1_000_000 });
  const items: JsonOf<GroupSummary>[] = [];
  for (const { name } of all.items) {
    if (items.length >= limit) break;
    items.push(...(await readPages<GroupSummary>(session, groupsOf(name), { limit: limit - items.length })).items);
  }
  return { items, scanned: items.length, complete: items.length < limit, nextCursor: null };
}
