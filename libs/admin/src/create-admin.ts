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
import { listPending } from './groups/list-pending.js';
import { pauseGroup } from './groups/pause-group.js';
import { removeGroup } from './groups/remove-group.js';
import { resumeGroup } from './groups/resume-group.js';
import { seekGroup } from './groups/seek-group.js';
import { browseJobs } from './jobs/browse-jobs.js';
import { drainQueue } from './jobs/drain-queue.js';
import { getJob } from './jobs/get-job.js';
import type { JobParts } from './jobs/job-parts.js';
import { listQueues } from './jobs/list-queues.js';
import { listSchedulers } from './jobs/list-schedulers.js';
import { pauseQueue, resumeQueue } from './jobs/pause-queue.js';
import { queueInfo } from './jobs/queue-summary.js';
import { removeJob } from './jobs/remove-job.js';
import { promoteJobs, retryJobs } from './jobs/retry-jobs.js';
import { browseMessages } from './messages/browse-messages.js';
import { Binder } from './input/binder.js';
import { findMessages } from './messages/find-messages.js';
import { getMessage } from './messages/get-message.js';
import { publishMessage } from './messages/publish-message.js';
import { republishMessage } from './messages/republish-message.js';
import { Mutations } from './mutate/mutation.js';
import { type Overview, overview } from './overview/overview.js';
import type { Page, PageOptions } from './page/page.js';
import type { OptionalParts, UseCaseParts } from './parts.js';
import { listSchedules } from './schedules/list-schedules.js';
import { type ListedInstance, listInstances, type ListInstancesOptions } from './services/list-instances.js';
import { listServices, type ServiceSummary } from './services/list-services.js';
import { createTopic } from './topics/create-topic.js';
import { deleteTopic } from './topics/delete-topic.js';
import { listTopics } from './topics/list-topics.js';
import { purgeTopic } from './topics/purge-topic.js';
import { raisePartitions } from './topics/raise-partitions.js';
import { topicInfo } from './topics/topic-info.js';
import { traceMessages } from './trace/trace-messages.js';
import { NO_MASK } from './view/mask.js';
import { readView, type View } from './view/view.js';

export type AdminParts = Omit<UseCaseParts, 'mutations' | 'mask'> & OptionalParts;

/** A use case without the parts that it works with. */
type Bound<T, Parts = UseCaseParts> = T extends (parts: Parts, ...rest: infer Rest) => infer Answer
  ? (...rest: Rest) => Answer
  : never;

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
    readonly raisePartitions: Bound<typeof raisePartitions>;
    readonly purge: Bound<typeof purgeTopic>;
    readonly delete: Bound<typeof deleteTopic>;
  };
  readonly groups: {
    readonly list: Bound<typeof listGroups>;
    readonly info: Bound<typeof groupInfo>;
    readonly pending: Bound<typeof listPending>;
    readonly pause: Bound<typeof pauseGroup>;
    readonly resume: Bound<typeof resumeGroup>;
    readonly seek: Bound<typeof seekGroup>;
    readonly remove: Bound<typeof removeGroup>;
  };
  readonly messages: {
    readonly browse: Bound<typeof browseMessages>;
    readonly find: Bound<typeof findMessages>;
    readonly get: Bound<typeof getMessage>;
    readonly publish: Bound<typeof publishMessage>;
    readonly republish: Bound<typeof republishMessage>;
  };
  readonly deadLetters: {
    readonly list: Bound<typeof listGroupsWithDeadLetters>;
    readonly errors: Bound<typeof groupByError>;
    readonly browse: Bound<typeof browseDeadLetters>;
    readonly show: Bound<typeof showDeadLetter>;
    readonly redrive: Bound<typeof redriveDeadLetters>;
    readonly discard: Bound<typeof discardDeadLetters>;
  };
  /** Messages of topics that are not due yet. */
  readonly schedules: { readonly list: Bound<typeof listSchedules> };
  /** Looks through all topics for the messages of a trace. */
  readonly trace: Bound<typeof traceMessages>;
  /** Null where the process has no way to queues. */
  readonly jobs: AdminJobs | null;
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

export interface AdminJobs {
  readonly list: Bound<typeof listQueues, JobParts>;
  readonly info: Bound<typeof queueInfo, JobParts>;
  readonly browse: Bound<typeof browseJobs, JobParts>;
  readonly get: Bound<typeof getJob, JobParts>;
  readonly schedulers: Bound<typeof listSchedulers, JobParts>;
  readonly retry: Bound<typeof retryJobs, JobParts>;
  readonly promote: Bound<typeof promoteJobs, JobParts>;
  readonly pause: Bound<typeof pauseQueue, JobParts>;
  readonly resume: Bound<typeof resumeQueue, JobParts>;
  readonly drain: Bound<typeof drainQueue, JobParts>;
  readonly remove: Bound<typeof removeJob, JobParts>;
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
      create: use.onTopic(createTopic), raisePartitions: use.onTopic(raisePartitions),
      purge: use.onTopic(purgeTopic), delete: use.onTopic(deleteTopic),
    },
    groups: {
      list: use.onTopic(listGroups), info: use.onGroup(groupInfo), pending: use.onGroup(listPending),
      pause: use.onGroup(pauseGroup), resume: use.onGroup(resumeGroup),
      seek: use.onGroup(seekGroup), remove: use.onGroup(removeGroup),
    },
    messages: {
      browse: use.onTopic(browseMessages), find: use.onTopic(findMessages), get: use.onTopic(getMessage),
      publish: use.onTopic(publishMessage), republish: use.onTopic(republishMessage),
    },
    deadLetters: {
      list: use.bind(listGroupsWithDeadLetters), errors: use.onGroup(groupByError),
      browse: use.onGroup(browseDeadLetters), show: use.onGroup(showDeadLetter),
      redrive: use.onGroup(redriveDeadLetters), discard: use.onGroup(discardDeadLetters),
    },
    schedules: { list: use.bind(listSchedules) },
    trace: use.bind(traceMessages),
    jobs: queues === undefined ? null : jobsOf({ ...parts, queues }),
    services: rpc === undefined ? null : {
      list: use.bind((_, options?: PageOptions) => listServices(rpc, options)),
      instances: use.bind((own, options?: ListInstancesOptions) => listInstances(own, rpc, options)),
      calls: () => rpc.figures(),
    },
    audit: { list: use.bind(listAudit) },
    seenBy: (view) => adminOf({ ...parts, mask: parts.mask.and(readView(view)) }, optional),
  };
}

function jobsOf(parts: JobParts): AdminJobs {
  const use = new Binder(parts);
  return {
    list: use.bind(listQueues), info: use.bind(queueInfo),
    browse: use.onQueue(browseJobs), get: use.onQueue(getJob), schedulers: use.onQueue(listSchedulers),
    retry: use.onQueue(retryJobs), promote: use.onQueue(promoteJobs),
    pause: use.onQueue(pauseQueue), resume: use.onQueue(resumeQueue),
    drain: use.onQueue(drainQueue), remove: use.onQueue(removeJob),
  };
}
