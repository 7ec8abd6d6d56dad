import type { PayloadClass, TopicDefinition } from '../contract/topic.js';
import type { OutgoingMessage, SendOptions } from './ports.js';

/** A message that goes out with the settlement of the message whose handler published it. */
export interface ForwardedMessage {
  readonly kind: 'message';
  readonly topic: TopicDefinition;
  readonly message: OutgoingMessage;
  readonly sendOptions: SendOptions | undefined;
}

/** A job that goes out with the settlement of the message whose handler enqueued it. */
export interface ForwardedJob {
  readonly kind: 'job';
  readonly queue: string;
  /** The job as {@link ForwardedJobs} takes it, in JSON. */
  readonly json: string;
}

export type Forward = ForwardedMessage | ForwardedJob;

/** A job whose id the caller gives. */
export interface NamedJob {
  /** The id of the job. */
  readonly id: string;
  readonly options: unknown;
  /** The call, for the error. */
  readonly where: string;
}

/** Jobs that handlers forward: they are written at once, and stored later, maybe by another process. */
export interface ForwardedJobs {
  /**
   * @returns the job; a promise where the rules of its payload take their time
   * @throws MillraceError those of an enqueue that say that nothing was stored
   */
  write(job: PayloadClass, payload: object, given: NamedJob): ForwardedJob | Promise<ForwardedJob>;

  /** Stores jobs of one queue. It may be called again with the same jobs, and stores each once. */
  store(queue: string, jobs: readonly string[]): Promise<void>;
}
