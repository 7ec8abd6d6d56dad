import type { QueueDirectory } from '@millrace/jobs';
import type { Rpc } from '@millrace/rpc';
import type { Topology } from '@millrace/redis';
import type { Streams } from '@millrace/streams';
import type { Mutations } from './mutate/mutation.js';
import type { Mask } from './view/mask.js';

/** The parts that the use cases work with. */
export interface UseCaseParts {
  readonly redis: Topology;
  /** The first part of every key. */
  readonly prefix: string;
  readonly streams: Pick<Streams, 'inspector' | 'reader' | 'deadLetters' | 'groups' | 'topics' | 'declare' | 'publish'>;
  readonly mutations: Mutations;
  /** Makes of messages what whoever asks may see. */
  readonly mask: Mask;
}

/** Parts that a process may lack. */
export interface OptionalParts {
  /** The registry, and the calls of this process. */
  readonly rpc?: Pick<Rpc, 'instances' | 'figures'>;
  /** The queues that there are. */
  readonly queues?: QueueDirectory;
}
