import type { RedisConnection, Topology } from '@millrace/redis';
import { cancellationChannel, instanceCancellationChannel, instanceKey, requestsKey, type ServiceName } from '../keys.js';
import { assertServiceName, type OutgoingCall } from './outgoing-call.js';
import { RequestBatcher, type SendParts } from './request-batcher.js';
import { RequestWithdrawer } from './request-withdrawer.js';

/** The stream that requests of a service, or of one of its instances, go to. */
export class CallTarget {
  readonly key: string;
  readonly channel: string;
  readonly redis: RedisConnection;
  readonly batcher: RequestBatcher;
  readonly withdrawer: RequestWithdrawer;

  constructor({ redis, prefix, ...parts }: TargetParts, name: ServiceName, instance: string | undefined) {
    this.key = instance === undefined ? requestsKey(prefix, name) : instanceKey(prefix, instance);
    this.channel = instance === undefined ? cancellationChannel(prefix, name) : instanceCancellationChannel(prefix, instance);
    this.redis = redis.publishFor(this.key);
    this.batcher = new RequestBatcher({ ...parts, key: this.key, redis: this.redis, subject: subjectOf(name, instance) });
    this.withdrawer = new RequestWithdrawer({ ...parts, key: this.key, redis: this.redis, channel: this.channel });
  }

  get isIdle(): boolean {
    return this.batcher.isIdle && this.withdrawer.isIdle;
  }
}

export interface TargetParts extends Omit<SendParts, 'redis' | 'key' | 'subject'> {
  readonly redis: Topology;
  readonly prefix: string;
}

/** Most targets of instances that are kept: instances come and go. */
const MOST_INSTANCES = 256;

/** The targets of the calls of this process. */
export class CallTargets {
  readonly #parts: TargetParts;
  /** By service, then by version: nothing is put together for a call. */
  readonly #services = new Map<string, Map<string, CallTarget>>();
  /** By instance. */
  readonly #instances = new Map<string, CallTarget>();

  constructor(parts: TargetParts) {
    this.#parts = parts;
  }

  get all(): CallTarget[] {
    return [...[...this.#services.values()].flatMap((versions) => [...versions.values()]), ...this.#instances.values()];
  }

  /** @throws MillraceError INVALID_NAME */
  of(options: OutgoingCall): CallTarget {
    if (options.instance !== undefined) return this.#instanceOf(options, options.instance);
    return this.#services.get(options.service)?.get(options.version) ?? this.#newService(options);
  }

  #newService(name: ServiceName): CallTarget {
    assertServiceName(name);
    const target = new CallTarget(this.#parts, name, undefined);
    const versions = this.#services.get(name.service) ?? new Map<string, CallTarget>();
    this.#services.set(name.service, versions.set(name.version, target));
    return target;
  }

  #instanceOf(name: ServiceName, instance: string): CallTarget {
    const known = this.#instances.get(instance);
    if (known) return known;
    assertServiceName(name);
    if (this.#instances.size >= MOST_INSTANCES) this.#forgetIdle();
    const target = new CallTarget(this.#parts, name, instance);
    this.#instances.set(instance, target);
    return target;
  }

  #forgetIdle(): void {
    for (const [instance, target] of this.#instances) if (target.isIdle) this.#instances.delete(instance);
  }
}

function subjectOf({ service, version }: ServiceName, instance: string | undefined): string {
  return instance === undefined ? `service '${service}' ${version}` : `instance '${instance}' of service '${service}' ${version}`;
}
