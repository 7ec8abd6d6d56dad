import type { Admin, Target } from '@millrace/admin';
import type { Rpc } from '@millrace/rpc';
import { RemoteFailure } from '../failure/remote-failure.js';
import type { Json, OperationOptions, Operator, ServiceCall } from './operator.js';
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
  readonly rpc: Rpc;
  close(): Promise<void>;
}

/** It handles no messages, so its lease is nobody's. */
const LEASE_MS = 15_000;
const STOP_MS = 1_000;
const DEFAULT_CALL_MS = 5_000;

/** Runs the use cases in this process, on a Redis that it connects to when it is first asked. */
export class DirectOperator implements Operator {
  readonly #options: DirectOptions;
  /** With queues, and without: what they need takes as long to load as all else. */
  readonly #openings = new Map<boolean, Promise<Open>>();
  readonly #opened: Open[] = [];
  #isClosed = false;

  constructor(options: DirectOptions) {
    this.#options = options;
  }

  async run(operation: string, target: Target = {}, options: OperationOptions = {}): Promise<Json> {
    const { operationOf } = await import('@millrace/admin');
    const { withDeadline } = await import('@millrace/redis');
    const { method, run } = operationOf(operation);
    const { admin } = await this.#connected(operation.startsWith('jobs.'));
    const own = method === 'POST' ? { ...options, actor: this.#options.actor } : options;
    const limitMs = timeLimitOf(this.#options.requestMs, options);
    const answer = await withDeadline(run(admin, target, defined(own) as never), limitMs, () => tooLate(operation, limitMs));
    return answer === undefined ? null : (JSON.parse(JSON.stringify(answer)) as Json);
  }

  async call({ request, timeoutMs, ...call }: ServiceCall): Promise<Json> {
    const { rpc } = await this.#connected(false);
    const instances = await rpc.instances.list();
    const serving = instances.find(({ service, version }) => service === call.service && version === call.version);
    const method = serving?.methods.get(call.method);
    const rules = { timeoutMs: timeoutMs ?? method?.timeoutMs ?? DEFAULT_CALL_MS, idempotent: method?.idempotent ?? false };
    const answer = await rpc.call({ ...call, ...rules, payloadJson: JSON.stringify(request) }).catch(asRemoteFailure);
    return answer === null ? null : (JSON.parse(answer) as Json);
  }

  /** A connection that is still being made is not waited for: it is closed when it is there, or ends with the process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#opened.splice(0).map((opened) => opened.close()));
  }

  async #connected(withQueues: boolean): Promise<Open> {
    const opening = this.#openings.get(withQueues) ?? this.#keep(open(this.#options, withQueues));
    this.#openings.set(withQueues, opening);
    return opening;
  }

  async #keep(opening: Promise<Open>): Promise<Open> {
    const opened = await opening;
    if (this.#isClosed) await opened.close();
    else this.#opened.push(opened);
    return opened;
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
    rpc,
    admin: createAdmin({ redis, prefix, streams, rpc, ...(queues ? { queues } : {}) }),
    close: async () => {
      await queues?.close();
      await rpc.stop(STOP_MS);
      await streams.stop(STOP_MS);
      redis.close();
    },
  };
}

/** @throws RemoteFailure for an error that the method threw, else the error */
async function asRemoteFailure(thrown: unknown): Promise<never> {
  const { RpcRemoteError } = await import('@millrace/rpc');
  throw thrown instanceof RpcRemoteError ? new RemoteFailure(thrown.remote) : thrown;
}

function defined(options: OperationOptions): OperationOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
