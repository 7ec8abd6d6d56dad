import { maskUrl, shownTarget } from '@millrace/redis';
import type { Settings } from '../config/settings.js';
import type { HandlerPlan, SubscriptionPlan } from '../explore/plan.js';
import { groupedBy } from '../explore/same-name.js';
import { shown } from './failure-text.js';

/** The most names in a line that people still read. */
const MAX_NAMES = 50;

export interface Serving {
  readonly plan: HandlerPlan;
  readonly settings: Settings;
  /** By its own name: `Redis 7.0.15`. */
  readonly server: string;
}

/** The connections and the work of this process, in one line. */
export function servingLine({ plan, settings, server }: Serving): string {
  const { redis, prefix } = settings;
  const places = [
    `${server} at ${shownTarget(redis)}`,
    `prefix ${prefix}`,
    databaseOf(settings),
  ];
  const work = [
    `groups: ${named(groupsOf(plan.subscriptions))}`,
    ...(plan.broadcasts.length > 0 ? [`broadcasts: ${named(plan.broadcasts.map(({ topic }) => topic.name))}`] : []),
    ...(plan.checks.length > 0 ? [`checks transactions of: ${named(plan.checks.map(({ topic }) => topic.name))}`] : []),
    `queues: ${named(plan.jobs.map(({ job }) => job.queue))}`,
    ...outboxOf(settings),
    ...(plan.services.length > 0 ? [`services: ${named(plan.services.map(({ contract }) => contract.service))}`] : []),
    ...(plan.called.length > 0 ? [`calls: ${named(plan.called.map(({ service }) => service))}`] : []),
    `topics: ${named(plan.topics.map(({ name }) => name))}`,
  ];
  return shown(`serving ${places.join(', ')}; ${work.join('; ')}`);
}

function databaseOf({ databaseUrl, databaseSource }: Settings): string {
  if (databaseSource) return `database of the application (${databaseSource.dialect})`;
  return databaseUrl === null ? 'no database' : `database ${maskUrl(databaseUrl)}`;
}

function outboxOf({ outbox }: Settings): string[] {
  if (!outbox) return [];
  return [outbox.relay ? 'outbox: published here' : 'outbox: published by others'];
}

function groupsOf(subscriptions: readonly SubscriptionPlan[]): string[] {
  const groups = groupedBy(subscriptions, ({ group }) => group);
  return [...groups].map(([group, plans]) => `${group} (${plans.map(({ topic }) => topic.name).join(', ')})`);
}

function named(all: readonly string[]): string {
  const names = [...new Set(all)];
  if (names.length === 0) return 'none';
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `${names.slice(0, MAX_NAMES).join(', ')}${more}`;
}
