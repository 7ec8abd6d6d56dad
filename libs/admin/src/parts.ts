import type { Topology } from '@millrace/redis';
import type { Streams } from '@millrace/streams';
import type { Mutations } from './mutate/mutation.js';

/** The parts that the use cases work with. */
export interface UseCaseParts {
  readonly redis: Topology;
  /** The first part of every key. */
  readonly prefix: string;
  readonly streams: Pick<Streams, 'inspector' | 'reader' | 'deadLetters' | 'groups' | 'topics' | 'declare'>;
  readonly mutations: Mutations;
}
