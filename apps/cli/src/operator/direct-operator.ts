import type { Admin, Target } from '@millrace/admin';
import type { Json, OperationOptions, Operator } from './operator.js';
import { timeLimitOf, tooLate } from './time-limit.js';

export interface DirectOptions {
  /** Its URL; null: by the variables of the environment. */
  readonly redis: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly prefix: string;
  readonly actor: string;
  readonly requestMs: number;
}

interface Open {
  readonly admin: Admin;
  close(): Promise<void>;
}

/** It handles no messages, so its lease is nobody's. */
const LEASE_MS = 15_000;
const STOP_MS = 1_000;

/** Runs the use cases in this process, on a Redis that it connects to when it is first asked. */
export class DirectOperator implements Operator {
  readonly #options: DirectOptions;
  /** With queues, and without: what they need takes as long to load as all else. */
  readonly #openings = new Map<boolean, Promise<Open>>();

  constructor(options: DirectOptions) {
    this.#options = options;
  }

  async run(operation: string, target: Target = {}, options: OperationOptions = {}): Promise<Json> {
    const { operationOf } = await import('@millrace/admin');
    const { withDeadline } = await import('@millrace/redis');
    const { method, run } = operationOf(operation);
    const withQueues = operation.startsWith('jobs.');
    const opening = this.#openings.get(withQueues) ?? open(this.#options, withQueues);
    this.#openings.set(withQueues, opening);
    const { admin } = await opening;
    const own = method === 'POST' ? { ...options, actor: this.#options.actor } : options;
    const limitMs = timeLimitOf(this.#options.requestMs, options);
    const answer = await withDeadline(run(admin, target, defined(own) as never), limitMs, () => tooLate(operation, limitMs));
    return answer === undefined ? null : (JSON.parse(JSON.stringify(answer)) as Json);
  }

  async close(): Promise<void> {
    for (const opening of this.#openings.values()) await (await opening.catch(() => null))?.close();
  }
}

/** Loaded when it is needed: help and the HTTP API do without. */
async function open({ redis: url, env, prefix }: DirectOptions, withQueues: boolean): Promise<Open> {
  const [{ createAdmin }, { connectRedis, redisTarget }, { createStreams }, { createRpc }, jobs] = await Promise.all([
    import('@millrace/admin'), import('@millrace/redis'), import('@millrace/streams'), import('@millrace/rpc'),
    withQueues ? import('@millrace/jobs') : null,
  ]);
  const target = redisTarget(url ?? undefined, env);
  const redis = await connectRedis({ ...target, name: 'millrace-cli' });
  const streams = createStreams({ redis, prefix, leaseMs: LEASE_MS });
  const rpc = createRpc({ redis, presence: streams.presence, prefix });
  const queues = jobs ? new jobs.QueueDirectory({ redis, target, prefix }) : undefined;
  return {
    admin: createAdmin({ redis, prefix, streams, rpc, ...(queues ? { queues } : {}) }),
    close: async () => {
      await queues?.close();
      await rpc.stop(STOP_MS);
      await streams.stop(STOP_MS);
      redis.close();
    },
  };
}

function defined(options: OperationOptions): OperationOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
