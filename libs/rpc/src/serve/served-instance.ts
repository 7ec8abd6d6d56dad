import { emit, errorRecord } from '@millrace/core';
import type { InstanceDefinition } from '../registry/instance.js';
import type { Registration } from '../registry/registrations.js';
import type { Registry } from '../registry/registry.js';
import { Responder, type ResponderParts } from './responder.js';
import type { ServingState } from './request-slots.js';
import type { ServiceDefinition } from './service-definition.js';

const DEFAULT_TIMEOUT_MS = 5_000;
const NO_DIGEST = '-';

/** An instance of a service, with its place in the registry: registered -> draining -> gone. */
export class ServedInstance {
  readonly member: string;
  readonly #responder: Responder;
  readonly #registration: Registration;
  #stopping: Promise<void> | null = null;

  private constructor(responder: Responder, registration: Registration) {
    this.member = responder.member;
    this.#responder = responder;
    this.#registration = registration;
  }

  /**
   * It takes no request before it is registered: another instance may have other methods.
   *
   * @throws MillraceError CONTRACT_CONFLICT, INVALID_INPUT
   * @throws RedisFailure
   */
  static async start(parts: Omit<ResponderParts, 'admit' | 'lost'>, registry: Registry, definition: ServiceDefinition): Promise<ServedInstance> {
    let registration: Registration | null = null;
    const admit = async (member: string): Promise<void> => {
      registration = await registry.register({ ...instanceOf(definition), member });
    };
    const responder = await Responder.start({ ...parts, admit, lost: () => registry.look() }, definition);
    return new ServedInstance(responder, registration!);
  }

  state(): ServingState {
    return this.#responder.state;
  }

  /** New calls go to others from now on, as far as Redis can be told. May be called again. */
  stop(deadlineMs: number): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const draining = this.#registration.update({ draining: true }).catch(reportFailure);
    await this.#responder.stop(deadlineMs);
    await draining;
    await this.#registration.unregister().catch(reportFailure);
  }
}

function instanceOf({ service, version, methods, weight, tags, metadata }: ServiceDefinition): Omit<InstanceDefinition, 'member' | 'draining'> {
  const summaries = [...methods].map(([name, { idempotent, timeoutMs = DEFAULT_TIMEOUT_MS, digest = NO_DIGEST }]) => {
    return [name, { idempotent, timeoutMs, digest }] as const;
  });
  return { service, version, weight, tags, metadata, methods: Object.fromEntries(summaries) };
}

function reportFailure(error: unknown): void {
  emit('loop-failed', { loop: 'rpc-stop', error: errorRecord(error), failures: 1 });
}
