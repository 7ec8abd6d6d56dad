import type { SubscriptionDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { GroupWatch } from '../group/group-watch.js';
import { idlePauseMs } from '../group/idle-pause.js';
import type { Membership } from '../group/membership.js';
import type { Presence } from '../group/presence.js';
import { Tender } from '../group/tender.js';
import { Auditor } from '../inspect/auditor.js';
import { DeadLetterDuties } from './dead-letter-duties.js';
import type { Forwarder } from '../forward/forwarder.js';
import type { Feedback } from './feedback.js';
import type { GroupPartition } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { ReadHistory } from './read-history.js';

export interface UpkeepParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly member: string;
  readonly presence: Presence;
  readonly stuckAfterMs: number;
  readonly isOrdered: boolean;
  readonly membership: Membership;
  readonly places: readonly GroupPartition[];
  /** How many entries Redis should know of this member, by stream. */
  readonly held: Pick<HeldEntries, 'counts'>;
  readonly partitions: readonly { readonly history: ReadHistory }[];
  readonly feedback: Feedback;
  readonly forwarder: Forwarder;
}

/** The work of a member of a group beside handling messages: each part has a loop of its own. */
export class Upkeep {
  readonly tender: Tender;
  readonly watch: GroupWatch;
  readonly deadLetters: DeadLetterDuties;
  readonly #auditor: Auditor;

  constructor(parts: UpkeepParts, definition: SubscriptionDefinition) {
    const { presence, places } = parts;
    const common = { ...parts, idlePauseMs: idlePauseMs(definition.topic, presence.leaseMs) };
    this.tender = new Tender(common);
    this.watch = new GroupWatch(common);
    this.#auditor = new Auditor({ ...common, leaseMs: presence.leaseMs });
    this.deadLetters = new DeadLetterDuties({ ...parts, partitions: places }, definition);
  }

  /** Looks first whether the group is paused: then it is not read from. */
  async start(): Promise<void> {
    await this.watch.look();
    await this.tender.start();
    this.watch.start();
    this.#auditor.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.tender.stop(), this.watch.stop(), this.#auditor.stop()]);
  }
}
