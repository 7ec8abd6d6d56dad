import type { GroupSummary } from '@millrace/admin';
import { groupsOfAllTopics, livingOf, statusOf } from '../commands/group-status.js';
import type { JsonOf } from '../operator/operator.js';
import type { Session } from '../session/session.js';

/** A group as it is now, with what it did since the look before. */
export interface GroupRow {
  readonly topic: string;
  readonly group: string;
  readonly status: string;
  readonly members: number;
  readonly lag: number | null;
  readonly lagSeconds: number | null;
  /** Messages a second that came for the group. Null before the second look. */
  readonly inPerSecond: number | null;
  /** Messages a second that it handled or gave up. */
  readonly outPerSecond: number | null;
  readonly pending: number | null;
  readonly deadLetters: number | null;
}

interface Counted {
  readonly at: number;
  readonly settled: number;
  readonly lag: number;
}

/** Looks at all groups again and again. */
export class Sampler {
  readonly #session: Session;
  readonly #limit: number;
  #before = new Map<string, Counted>();

  constructor(session: Session, limit: number) {
    this.#session = session;
    this.#limit = limit;
  }

  async next(): Promise<readonly GroupRow[]> {
    const { items } = await groupsOfAllTopics(this.#session, this.#limit);
    const at = performance.now();
    const now = new Map(items.map((group) => [nameOf(group), countedIn(group, at)]));
    const rows = items.map((group) => rowOf(group, now.get(nameOf(group))!, this.#before.get(nameOf(group))));
    this.#before = now;
    return rows;
  }
}

function nameOf({ topic, group }: JsonOf<GroupSummary>): string {
  return `${topic} ${group}`;
}

function countedIn({ state }: JsonOf<GroupSummary>, at: number): Counted {
  const { handled = 0, deadLettered = 0, lag = 0 } = state ?? {};
  return { at, settled: handled + deadLettered, lag };
}

function rowOf(summary: JsonOf<GroupSummary>, now: Counted, before: Counted | undefined): GroupRow {
  const { topic, group, members, state } = summary;
  const { lag = null, lagSeconds = null, pending = null, deadLetters = null } = state ?? {};
  const own = { topic, group, status: statusOf(summary), members: livingOf(members), lag, lagSeconds, pending, deadLetters };
  return { ...own, ...(before ? rates(now, before) : { inPerSecond: null, outPerSecond: null }) };
}

function rates(now: Counted, before: Counted): Pick<GroupRow, 'inPerSecond' | 'outPerSecond'> {
  const seconds = Math.max(1, now.at - before.at) / 1_000;
  const perSecond = (count: number): number => Math.max(0, Math.round(count / seconds));
  const done = now.settled - before.settled;
  return { inPerSecond: perSecond(done + now.lag - before.lag), outPerSecond: perSecond(done) };
}
