import type { MethodFigures } from '@millrace/rpc';
import { AuditLog } from './audit/audit-log.js';
import { type AuditEntry, listAudit } from './audit/list-audit.js';
import { browseDeadLetters } from './dead-letters/browse-dead-letters.js';
import { discardDeadLetters } from './dead-letters/discard-dead-letters.js';
import { groupByError } from './dead-letters/group-by-error.js';
import { listGroupsWithDeadLetters } from './dead-letters/list-groups-with-dead-letters.js';
import { redriveDeadLetters } from './dead-letters/redrive-dead-letters.js';
import { showDeadLetter } from './dead-letters/show-dead-letter.js';
import { examine } from './doctor/examine.js';
import { groupInfo } from './groups/group-info.js';
import { listGroups } from './groups/list-groups.js';
import { pauseGroup } from './groups/pause-group.js';
import { removeGroup } from './groups/remove-group.js';
import { resumeGroup } from './groups/resume-group.js';
import { seekGroup } from './groups/seek-group.js';
import { browseMessages } from './messages/browse-messages.js';
import { Binder } from './input/binder.js';
import { findMessages } from './messages/find-messages.js';
import { type QueueSummary, summarizeQueues } from './jobs/summarize-queues.js';
import { getMessage } from './messages/get-message.js';
import { Mutations } from './mutate/mutation.js';
import { type Overview, overview } from './overview/overview.js';
import type { Page, PageOptions } from './page/page.js';
import type { OptionalParts, UseCaseParts } from './parts.js';
import { type ListedInstance, listInstances, type ListInstancesOptions } from './services/list-instances.js';
import { listServices, type ServiceSummary } from './services/list-services.js';
import { createTopic } from './topics/create-topic.js';
import { deleteTopic } from './topics/delete-topic.js';
import { listTopics } from './topics/list-topics.js';
import { purgeTopic } from './topics/purge-topic.js';
import { topicInfo } from './topics/topic-info.js';
import { traceMessages } from './trace/trace-messages.js';
import { NO_MASK } from './view/mask.js';
import { readView, type View } from './view/view.js';

export type AdminParts = Omit<UseCaseParts, 'mutations' | 'mask'> & OptionalParts;

/** A use case without the parts that it works with. */
type Bound<T> = T extends (parts: UseCaseParts, ...rest: infer Rest) => infer Answer ? (...rest: Rest) => Answer : never;

/**
 * All that operators do, by names alone: of a topic they have no class. Each use case checks what it is given before it asks
 * Redis, each list comes in pages, and each action has a dry run and is written to the audit stream.
 */
export interface Admin {
  readonly overview: () => Promise<Overview>;
  readonly doctor: Bound<typeof examine>;
  readonly topics: {
    readonly list: Bound<typeof listTopics>;
    readonly info: Bound<typeof topicInfo>;
    readonly create: Bound<typeof createTopic>;
    readonly purge: Bound<typeof purgeTopic>;
    readonly delete: Bound<typeof deleteTopic>;
  };
  readonly groups: {
    readonly list: Bound<typeof listGroups>;
    readonly info: Bound<typeof groupInfo>;
    readonly pause: Bound<typeof pauseGroup>;
    readonly resume: Bound<typeof resumeGroup>;
    readonly seek: Bound<typeof seekGroup>;
    readonly remove: Bound<typeof removeGroup>;
  };
  readonly messages: {
    readonly browse: Bound<typeof browseMessages>;
    readonly find: Bound<typeof findMessages>;
    readonly get: Bound<typeof getMessage>;
  };
  readonly deadLetters: {
    readonly list: Bound<typeof listGroupsWithDeadLetters>;
    readonly errors: Bound<typeof groupByError>;
    readonly browse: Bound<typeof browseDeadLetters>;
    readonly show: Bound<typeof showDeadLetter>;
    readonly redrive: Bound<typeof redriveDeadLetters>;
    readonly discard: Bound<typeof discardDeadLetters>;
  };
  /** Looks through all topics for the messages of a trace. */
  readonly trace: Bound<typeof traceMessages>;
  /** Null where the process has no queues. */
  readonly jobs: { readonly summary: () => Promise<QueueSummary[]> } | null;
  /** Null where the process has no registry. */
  readonly services: AdminServices | null;
  readonly audit: { readonly list: (options?: PageOptions) => Promise<Page<AuditEntry>> };
  /**
   * The same use cases for somebody who may not see everything. It never shows more than the admin that it is asked of.
   *
   * @throws MillraceError INVALID_OPTIONS
   */
  readonly seenBy: (view: View) => Admin;
}

export interface AdminServices {
  readonly list: (options?: PageOptions) => Promise<Page<ServiceSummary>>;
  readonly instances: (options?: ListInstancesOptions) => Promise<Page<ListedInstance>>;
  /** The calls of this process alone, those that it makes and those that it answers, by method: it knows no others. */
  readonly calls: () => readonly MethodFigures[];
}

/** Puts the use cases together, for somebody who may see all. It opens and runs nothing by itself: there is nothing to stop. */
export function createAdmin({ redis, prefix, streams, ...optional }: AdminParts): Admin {
  const mutations = new Mutations(new AuditLog(redis, prefix));
  return adminOf({ redis, prefix, streams, mutations, mask: NO_MASK }, optional);
}

function adminOf(parts: UseCaseParts, optional: OptionalParts): Admin {
  const { rpc, queues } = optional;
  const use = new Binder(parts);
  return {
    overview: use.bind(overview),
    doctor: use.bind(examine),
    topics: {
      list: use.bind(listTopics), info: use.bind(topicInfo),
      create: use.onTopic(createTopic), purge: use.onTopic(purgeTopic), delete: use.onTopic(deleteTopic),
    },
    groups: {
      list: use.onTopic(listGroups), info: use.onGroup(groupInfo),
      pause: use.onGroup(pauseGroup), resume: use.onGroup(resumeGroup),
      seek: use.onGroup(seekGroup), remove: use.onGroup(removeGroup),
    },
    messages: { browse: use.onTopic(browseMessages), find: use.onTopic(findMessages), get: use.onTopic(getMessage) },
    deadLetters: {
      list: use.bind(listGroupsWithDeadLetters), errors: use.onGroup(groupByError),
      browse: use.onGroup(browseDeadLetters), show: use.onGroup(showDeadLetter),
      redrive: use.onGroup(redriveDeadLetters), discard: use.onGroup(discardDeadLetters),
    },
    trace: use.bind(traceMessages),
    jobs: queues === undefined ? null : { summary: () => summarizeQueues(queues) },
    services: rpc === undefined ? null : {
      list: use.bind((_, options?: PageOptions) => listServices(rpc, options)),
      instances: use.bind((own, options?: ListInstancesOptions) => listInstances(own, rpc, options)),
      calls: () => rpc.figures(),
    },
    audit: { list: use.bind(({ redis, prefix }, options?: PageOptions) => listAudit(redis, prefix, options)) },
    seenBy: (view) => adminOf({ ...parts, mask: parts.mask.and(readView(view)) }, optional),
  };
}
